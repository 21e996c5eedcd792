/** Mail that programs of others send arrives as they sent it. Postfix has a test of its own. */
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { createTransport } from 'nodemailer'
import { imapTls } from '#cli/account.ts'
import { readSettings } from '#lib/runtime/settings.ts'
import { debianMissing } from '#lib/testing/debian.ts'
import { openTestPorts } from '#lib/testing/embedded.ts'
import { prepareExim, startOpenSmtpd } from '#lib/testing/mail-servers.ts'
import { freePort } from '#lib/testing/ports.ts'
import { temporaryFolder } from '#lib/testing/temporary.ts'
import { until } from '#lib/testing/wait.ts'
import type { Raw } from '#schemas/types.ts'
import { ingestSettings } from '#services/ingest/config.ts'
import { startIngest } from '#services/ingest/service.ts'

const exec = promisify(execFile)
const to = 'bounce-7@bounces.example.com'
const from = 'person@remote.example'

/** Starts ingest with TLS, has a message sent, and gives what arrived. */
async function arrives(
  send: (port: number, tlsPort: number, delivered: () => Promise<unknown>) => Promise<unknown>,
): Promise<Raw> {
  await using ports = await openTestPorts()
  const { cert } = await imapTls({ dataDir: ports.folder, imapTlsCert: null, imapTlsKey: null })
  const pem = join(ports.folder, 'both.pem')
  writeFileSync(pem, cert)
  const service = startIngest(
    readSettings('test', ingestSettings, {
      environment: {
        SMTP_LISTEN: '127.0.0.1:0',
        SMTPS_LISTEN: '127.0.0.1:0',
        MAIL_DOMAINS: 'bounces.example.com',
        SMTP_TLS_CERT: pem,
        SMTP_TLS_KEY: pem,
      },
    }),
    ports,
  )
  await service.ready
  try {
    const delivered = () =>
      until('the message', async () => {
        const found = await ports.decoded('mail.raw', 'raw')
        return found.length > 0 && found
      })
    await send(service.port, service.tlsPort, delivered)
    const [raw] = await delivered()
    assert.ok(raw)
    assert.deepEqual(
      raw.envelope.forwardPaths.map(({ address }) => address),
      [to],
    )
    return raw
  } finally {
    await service.stop()
  }
}

const text = (raw: Raw): string => raw.bytes?.toString('utf8') ?? ''

describe('mail arrives from', () => {
  for (const [name, options, tls] of [
    ['swaks', [], false],
    ['swaks with STARTTLS', ['--tls'], true],
    ['swaks with PIPELINING', ['--pipeline'], false],
  ] as const) {
    it(name, async () => {
      const raw = await arrives((port) =>
        exec('swaks', [
          '--server',
          `127.0.0.1:${port}`,
          '--from',
          from,
          '--to',
          to,
          '--body',
          'hello from swaks',
          ...options,
        ]),
      )
      assert.equal(raw.envelope.reversePath, from)
      assert.match(text(raw), /hello from swaks/)
      assert.equal(raw.envelope.client.tls !== null, tls)
    })
  }

  it('curl, in the clear and with implicit TLS', async () => {
    using folder = temporaryFolder()
    const file = join(folder.path, 'mail')
    writeFileSync(file, 'Subject: curl\r\n\r\n.dots\r\n..two\r\n')
    for (const scheme of ['smtp', 'smtps']) {
      const raw = await arrives((port, tlsPort) =>
        exec('curl', [
          '-sSk',
          '--url',
          `${scheme}://127.0.0.1:${scheme === 'smtp' ? port : tlsPort}/client.example`,
          '--mail-from',
          from,
          '--mail-rcpt',
          to,
          '-T',
          file,
        ]),
      )
      assert.equal(text(raw), 'Subject: curl\r\n\r\n.dots\r\n..two\r\n')
      assert.equal(raw.envelope.client.tls !== null, scheme === 'smtps')
    }
  })

  it("Python's smtplib, with SMTPUTF8", async () => {
    const script = `import smtplib, ssl, sys
from email.message import EmailMessage
context = ssl.create_default_context(); context.check_hostname = False; context.verify_mode = ssl.CERT_NONE
m = EmailMessage(); m["Subject"] = "grüße"; m["From"] = "jörg@remote.example"; m["To"] = "${to}"; m.set_content("hello from smtplib ü")
s = smtplib.SMTP("127.0.0.1", int(sys.argv[1])); s.starttls(context=context)
s.send_message(m); s.quit()`
    const raw = await arrives((port) => exec('python3', ['-c', script, String(port)]))
    assert.equal(raw.envelope.reversePath, 'jörg@remote.example')
    assert.ok('SMTPUTF8' in raw.envelope.parameters)
    assert.match(text(raw), /Subject: grüße/)
  })

  it('nodemailer, with DSN', async () => {
    const raw = await arrives((port) =>
      createTransport({ host: '127.0.0.1', port, tls: { rejectUnauthorized: false } }).sendMail({
        envelope: {
          from,
          to,
          dsn: { id: 'id-1', return: 'headers', notify: ['failure', 'delay'], recipient: 'x@remote.example' },
        } as never,
        from,
        to,
        subject: 'nodemailer',
        text: 'hello from nodemailer',
      }),
    )
    assert.match(text(raw), /hello from nodemailer/)
    assert.equal(raw.envelope.client.tls?.protocol, 'TLSv1.3')
  })

  it('Exim, which pipelines and sends chunks', { skip: debianMissing() }, async () => {
    using folder = temporaryFolder()
    const raw = await arrives(async (port) => {
      const { program, config } = prepareExim(folder.path, { routes: [{ domain: '*', port }] })
      const child = spawn(program, ['-C', config, '-odi', '-i', '-f', '<>', to], {
        stdio: ['pipe', 'ignore', 'inherit'],
      })
      child.stdin.end('From: daemon@sender.example\nSubject: exim\n\nhello from exim\n.\n..\n')
      assert.equal(await new Promise((resolve) => child.once('close', resolve)), 0)
    })
    assert.equal(raw.envelope.reversePath, '')
    assert.match(text(raw), /hello from exim\r\n\.\r\n\.\.\r\n$/)
  })

  it('OpenSMTPD', { skip: debianMissing() }, async () => {
    using folder = temporaryFolder()
    const listen = await freePort()
    const raw = await arrives(async (port, _tlsPort, delivered) => {
      const stop = startOpenSmtpd(folder.path, listen, [{ domain: '*', port }])
      const server = ['--server', `127.0.0.1:${listen}`]
      try {
        await until('OpenSMTPD', () =>
          exec('swaks', [...server, '--from', from, '--to', to, '--body', 'hello through opensmtpd']).then(
            () => true,
            () => false,
          ),
        )
        await delivered()
      } finally {
        await stop()
      }
    })
    assert.match(text(raw), /hello through opensmtpd/)
  })
})
