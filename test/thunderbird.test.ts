/** Thunderbird, headless and driven from inside by Marionette (its own remote protocol), against the facade. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { ImapFlow } from 'imapflow'
import { listenSettings, type Ports, type Running, startMailweir, whenReady } from '#lib/testing/mailweir.ts'
import { sha256, testMessages } from '#lib/testing/messages.ts'
import { freePort } from '#lib/testing/ports.ts'
import { programMissing } from '#lib/testing/programs.ts'
import { sendAll } from '#lib/testing/send.ts'
import { temporaryFolder } from '#lib/testing/temporary.ts'
import { until } from '#lib/testing/wait.ts'
import { ledgerOf } from './flow.ts'

/** Messages as `LENGTH:JSON`; a command is answered by `[1, id, error, result]`. */
class Marionette {
  readonly #socket: Socket
  #bytes = Buffer.alloc(0)
  #id = 0
  #wake: () => void = () => {}

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk])
      this.#wake()
    })
    socket.on('error', () => {})
  }

  static async open(port: number): Promise<Marionette> {
    const socket = await until('Thunderbird to listen', () => {
      const trial = connect(port, '127.0.0.1')
      return new Promise<Socket | false>((resolve) => {
        trial.once('connect', () => resolve(trial))
        trial.once('error', () => resolve(false))
      })
    })
    const marionette = new Marionette(socket as Socket)
    await marionette.#read()
    await marionette.#ask('WebDriver:NewSession', {})
    await marionette.#ask('Marionette:SetContext', { value: 'chrome' })
    await marionette.#ask('WebDriver:SetTimeouts', { script: 20_000 })
    return marionette
  }

  async #read(): Promise<unknown> {
    for (;;) {
      const colon = this.#bytes.indexOf(':')
      const length = colon < 0 ? 0 : Number(this.#bytes.toString('latin1', 0, colon))
      if (colon >= 0 && this.#bytes.length > colon + length) {
        const text = this.#bytes.toString('utf8', colon + 1, colon + 1 + length)
        this.#bytes = this.#bytes.subarray(colon + 1 + length)
        return JSON.parse(text)
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  async #ask(name: string, parameters: object): Promise<{ value?: unknown }> {
    const text = JSON.stringify([0, ++this.#id, name, parameters])
    this.#socket.write(`${Buffer.byteLength(text)}:${text}`)
    const [, , error, result] = (await this.#read()) as [
      number,
      number,
      { message: string } | null,
      { value?: unknown },
    ]
    if (error !== null) throw new Error(`${name}: ${JSON.stringify(error)}`)
    return result
  }

  /** Runs a script with all of Thunderbird's own objects and `given`; what it returns, or promises. */
  async run<T>(script: string, ...args: readonly unknown[]): Promise<T> {
    const { value } = await this.#ask('WebDriver:ExecuteScript', {
      script: `return (async (given) => { ${prelude}\n${script} })([...arguments])`,
      args,
    })
    return value as T
  }

  end(): void {
    this.#socket.destroy()
  }
}

const prelude = `
const { MailServices } = ChromeUtils.importESModule('resource:///modules/MailServices.sys.mjs');
const server = () => MailServices.accounts.allServers.find(({ type }) => type === 'imap');
const folders = () => server().rootFolder.descendants;
const folderOf = (name) => folders().find(({ URI }) => decodeURI(URI).endsWith('/' + name));
const messagesOf = (folder) => [...folder.messages];
/** NS_MSG_FOLDER_BUSY: it is still doing what it was asked before. */
const folderBusy = 0x8055000a;
/** What the folder knows now, while it asks for more. */
const refreshed = (folder) => (folder.updateFolder(null), messagesOf(folder));
/** Until a listener of an URL, or of a copy, hears of its end. */
const done = (work) => new Promise((resolve, reject) => {
  const end = (status) => Components.isSuccessCode(status) ? resolve(true) : reject(new Error('status 0x' + status.toString(16)));
  work({
    QueryInterface: ChromeUtils.generateQI(['nsIUrlListener', 'nsIMsgCopyServiceListener']),
    OnStartRunningUrl() {}, OnStopRunningUrl(url, status) { end(status); },
    onStartCopy() {}, onProgress() {}, setMessageKey() {}, getMessageId() { return null; }, onStopCopy(status) { end(status); },
  });
});
`

const preferences = {
  'mail.provider.suppress_dialog_on_startup': true,
  'mail.spotlight.firstRunDone': true,
  'mailnews.start_page.enabled': false,
  'mail.shell.checkDefaultClient': false,
  'mail.server.default.check_new_mail': false,
  'mail.server.default.autosync_offline_stores': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'app.update.enabled': false,
}

/** NULs are left out here: it keeps mail in files of lines. */
const messages = testMessages(40).filter(({ content }) => !content.includes(0))
const [user, password] = ['reader', 'a password of a reader']

describe('Thunderbird', { skip: programMissing('thunderbird', '--version', 'thunderbird') }, () => {
  const folder = temporaryFolder()
  let ports: Ports
  let mailweir: Running
  let program: ChildProcess | null = null
  let thunderbird: Marionette

  before(async () => {
    const listen = await listenSettings()
    ports = listen.ports
    mailweir = startMailweir(['up'], {
      ...listen.settings,
      DATA_DIR: join(folder.path, 'data'),
      SEGMENT_MS: '200',
      IMAP_USER: user,
      IMAP_PASSWORD: password,
    })
    await whenReady(mailweir, ports.console)
    await sendAll(ports.smtp, messages)
    await until('all is stored', async () => (await ledgerOf(ports)).stored === messages.length)

    const profile = join(folder.path, 'profile')
    mkdirSync(profile)
    const port = await freePort()
    writeFileSync(
      join(profile, 'user.js'),
      Object.entries({ ...preferences, 'marionette.port': port })
        .map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`)
        .join(''),
    )
    program = spawn(
      'thunderbird',
      ['--headless', '--marionette', '--remote-allow-system-access', '--no-remote', '--profile', profile],
      { stdio: 'ignore', env: { ...process.env, HOME: profile }, detached: true },
    )
    thunderbird = await Marionette.open(port)
    await thunderbird.run(
      `const [port, user, password] = given;
      const made = MailServices.accounts.createIncomingServer(user, '127.0.0.1', 'imap');
      made.port = port; made.socketType = 0; made.authMethod = 3; made.password = password;
      const account = MailServices.accounts.createAccount();
      account.incomingServer = made;
      made.performExpand(null);`,
      ports.imap,
      user,
      password,
    )
  })
  after(async () => {
    thunderbird?.end()
    if (program?.pid !== undefined && program.exitCode === null) process.kill(-program.pid, 'SIGKILL')
    await mailweir?.[Symbol.asyncDispose]()
    folder[Symbol.dispose]()
  })

  /** The mailbox of a day with most to read. */
  const hardBounces = async (): Promise<string> => {
    const uris = await thunderbird.run<string[]>(`return folders().map(({ URI }) => decodeURI(URI))`)
    const uri = uris.find((each) => /\/Bounces\/Hard\/\d/.test(each))
    assert.ok(uri, uris.join(' '))
    return uri.slice(uri.indexOf('/Bounces/') + 1)
  }

  async function inOther<T>(work: (other: ImapFlow) => Promise<T>): Promise<T> {
    const auth = { user, pass: password }
    const tls = { rejectUnauthorized: false }
    const other = new ImapFlow({ host: '127.0.0.1', port: ports.imap, secure: false, auth, tls, logger: false })
    await other.connect()
    try {
      return await work(other)
    } finally {
      await other.logout()
    }
  }

  it('finds the mailboxes, downloads every message for offline use, and has the same bytes', async () => {
    const names = (await inOther((other) => other.list())).map(({ path }) => path).filter((path) => /\d$/.test(path))
    await until('all mailboxes', () => thunderbird.run<boolean>(`return given.every(folderOf)`, ...names))
    const found: string[] = []
    for (const name of names) {
      const contents = await until(`all of ${name}`, () =>
        thunderbird.run<string[] | false>(
          `const folder = folderOf(given[0]);
          const headers = refreshed(folder);
          if (headers.length === 0 || headers.length < folder.getTotalMessages(false)) return false;
          if (!headers.every(({ messageKey }) => folder.hasMsgOffline(messageKey))) {
            folder.setFlag(Ci.nsMsgFolderFlags.Offline);
            try { folder.downloadAllForOffline(null, null); } catch ({ result }) { if (result !== folderBusy) throw result; }
            return false;
          }
          return headers.map((header) => {
            const stream = Cc['@mozilla.org/binaryinputstream;1'].createInstance(Ci.nsIBinaryInputStream);
            stream.setInputStream(folder.getMsgInputStream(header, {}));
            let bytes = '';
            while (stream.available() > 0) bytes += stream.readBytes(stream.available());
            return btoa(bytes);
          })`,
          name,
        ),
      )
      found.push(...(contents as string[]).map((content) => Buffer.from(content, 'base64').toString('latin1')))
    }
    // It keeps lines of its own in front of each message, and what it keeps are lines that end in LF.
    const normal = (text: string): string =>
      sha256(
        Buffer.from(
          text
            .replace(/^(?:X-Mozilla-[^\n]*\n)+/, '')
            .replaceAll('\r', '')
            .trimEnd(),
          'latin1',
        ),
      )
    assert.deepEqual(found.map(normal).sort(), messages.map(({ content }) => normal(content.toString('latin1'))).sort())
  })

  it('reads and flags messages, and another program sees it; sees what another one flagged', async () => {
    const name = await hardBounces()
    const uids = await thunderbird.run<number[]>(
      `const folder = folderOf(given[0]);
      const [first, second] = messagesOf(folder);
      folder.markMessagesRead([first], true);
      folder.markMessagesFlagged([second], true);
      return [first.messageKey, second.messageKey]`,
      name,
    )
    await inOther(async (other) => {
      await other.mailboxOpen(name)
      const flagsOf = async (uid: number | undefined): Promise<Set<string>> => {
        const found = await other.fetchOne(String(uid), { flags: true }, { uid: true })
        return found === false ? new Set() : (found.flags ?? new Set())
      }
      await until('the flags of Thunderbird', async () => {
        const [first, second] = [await flagsOf(uids[0]), await flagsOf(uids[1])]
        return first.has('\\Seen') && second.has('\\Flagged')
      })
      await other.messageFlagsAdd(String(uids[1]), ['\\Answered'], { uid: true })
      await until('Thunderbird to have heard of it', () =>
        thunderbird.run<boolean>(
          `const folder = folderOf(given[0]);
        refreshed(folder);
        return Boolean(folder.GetMessageHeader(given[1]).flags & Ci.nsMsgMessageFlags.Replied)`,
          name,
          uids[1],
        ),
      )
    })
  })

  it('makes a folder, copies messages into it, and deletes one there', async () => {
    const name = await hardBounces()
    await thunderbird.run(`server().rootFolder.createSubfolder('Checked', null)`)
    await until('the folder', () => thunderbird.run<boolean>(`return Boolean(folderOf('Checked'))`))
    await thunderbird.run(
      `const [from, to] = [folderOf(given[0]), folderOf('Checked')];
      const chosen = messagesOf(from).slice(0, 3);
      await done((listener) => MailServices.copy.copyMessages(from, chosen, to, false, listener, null, false))`,
      name,
    )
    await until('the copies', () => thunderbird.run<boolean>(`return refreshed(folderOf('Checked')).length === 3`))
    await thunderbird.run(
      `const folder = folderOf('Checked');
      const [first] = messagesOf(folder);
      await done((listener) => folder.deleteMessages([first], null, true, false, listener, false));`,
    )
    await until('two to be left', () =>
      thunderbird.run<boolean>(
        `const folder = folderOf('Checked');
        return refreshed(folder).filter(({ flags }) => !(flags & Ci.nsMsgMessageFlags.IMAPDeleted)).length === 2`,
      ),
    )
  })

  it('the facade had nothing to complain of', () => {
    assert.deepEqual(
      mailweir
        .stdout()
        .split('\n')
        .filter((line) => /"level":(?:"(?:warn|error|fatal)"|[456]0)/.test(line)),
      [],
    )
  })
})
