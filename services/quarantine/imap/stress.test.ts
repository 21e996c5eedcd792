/**
 * Many clients at once on one folder and two replicas, each with its own idea of the mailbox by what it was told: numbers never
 * contradict it, UIDs rise, nothing that was expunged comes back, and in the end all agree.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Dialogue } from '#lib/testing/dialogue.ts'
import { openTestPorts } from '#lib/testing/embedded.ts'
import { startFacade } from '#lib/testing/imap.ts'
import { seeded } from '#lib/testing/random.ts'
import { until } from '#lib/testing/wait.ts'

const rounds = Number(process.env['STRESS_ROUNDS'] ?? 60)
const content = 'Subject: s\r\n\r\nbody\r\n'

/** A client that believes what it is told, and says where that cannot be. */
class Believer {
  readonly #dialogue: Dialogue
  #tag = 0
  /** UIDs by number, as far as they were told; 0: not told. */
  uids: number[] = []
  readonly flags = new Map<number, string>()
  readonly gone = new Set<number>()

  constructor(dialogue: Dialogue) {
    this.#dialogue = dialogue
  }

  async ask(command: string): Promise<string> {
    const tag = `s${++this.#tag}`
    this.#dialogue.say(`${tag} ${command}\r\n`)
    const heard = await this.#dialogue.hear(new RegExp(`^${tag} `), 20_000)
    assert.match(
      heard,
      new RegExp(`^${tag} (?:OK|NO \\[EXPUNGEISSUED|BAD there is no such message)`, 'm'),
      `${command}: ${heard}`,
    )
    for (const line of heard.split('\r\n')) this.#believe(line, command)
    return heard
  }

  #believe(line: string, command: string): void {
    const [, number = '', what = ''] = /^\* (\d+) (EXISTS|EXPUNGE|FETCH)/.exec(line) ?? []
    const n = Number(number)
    if (what === 'EXISTS') {
      assert.ok(n >= this.uids.length, `EXISTS fell to ${n} from ${this.uids.length}`)
      while (this.uids.length < n) this.uids.push(0)
    } else if (what === 'EXPUNGE') {
      assert.doesNotMatch(command, /^(?:FETCH|STORE|SEARCH)/, 'EXPUNGE within a command by number')
      assert.ok(n >= 1 && n <= this.uids.length, `EXPUNGE ${n} of ${this.uids.length}`)
      const [uid = 0] = this.uids.splice(n - 1, 1)
      if (uid > 0) this.gone.add(uid)
    } else if (what === 'FETCH') {
      assert.ok(n >= 1 && n <= this.uids.length, `FETCH ${n} of ${this.uids.length}`)
      const uid = Number(/UID (\d+)/.exec(line)?.[1] ?? 0)
      if (uid === 0) return
      const known = this.uids[n - 1]
      assert.ok(known === 0 || known === uid, `number ${n} was UID ${known} and is ${uid}`)
      assert.ok(!this.gone.has(uid), `UID ${uid} was expunged`)
      this.uids[n - 1] = uid
      const before = this.uids.slice(0, n - 1).filter((each) => each > 0)
      assert.ok(
        before.every((each) => each < uid),
        `UID ${uid} at ${n} is not above those before`,
      )
      const flags = /FLAGS \(([^)]*)\)/.exec(line)?.[1]
      if (flags !== undefined) this.flags.set(uid, flags)
    }
  }

  /** All that it knows, after it has asked for all. */
  async whole(): Promise<string> {
    await this.ask('NOOP')
    await this.ask('FETCH 1:* (UID FLAGS)')
    return this.uids.map((uid) => `${uid} ${[...(this.flags.get(uid) ?? '').split(' ')].sort().join(' ')}`).join('\n')
  }
}

describe('many clients of one folder', { timeout: 120_000 }, () => {
  it('are told what fits together, on two replicas, and agree in the end', async () => {
    await using ports = await openTestPorts()
    await using facade = await startFacade(ports)
    const other = await facade.replica()
    const open: Dialogue[] = []
    try {
      const believers: Believer[] = []
      for (let n = 0; n < 6; n++) {
        const dialogue = await Dialogue.open(n % 2 === 0 ? facade.imap.port : other.port)
        open.push(dialogue)
        await dialogue.hear(/^\* OK/)
        const believer = new Believer(dialogue)
        await believer.ask('LOGIN reader "secret word"')
        if (n === 0) await believer.ask('CREATE Box')
        await until('the folder', async () => /Box/.test(await believer.ask('LIST "" Box')))
        await believer.ask('SELECT Box')
        believers.push(believer)
      }
      await Promise.all(
        believers.map(async (believer, which) => {
          const random = seeded(which + 1)
          for (let round = 0; round < rounds; round++) {
            const count = believer.uids.length
            const some = count === 0 ? '1:*' : `${1 + random.next(count)}:${1 + random.next(count)}`
            switch (count < 5 ? 0 : random.next(8)) {
              case 0:
              case 1:
                await believer.ask(`APPEND Box (k${random.next(5)}) {${content.length}+}\r\n${content}`)
                break
              case 2:
                await believer.ask(
                  `STORE ${1 + random.next(count)} ${random.next(2) === 0 ? '+' : '-'}FLAGS (\\Flagged k${random.next(5)})`,
                )
                break
              case 3:
                await believer.ask(`STORE ${1 + random.next(count)} +FLAGS.SILENT (\\Deleted)`)
                break
              case 4:
                await believer.ask('EXPUNGE')
                break
              case 5:
                await believer.ask(`FETCH ${some} (UID FLAGS)`)
                break
              case 6:
                await believer.ask(`UID SEARCH KEYWORD k${random.next(5)}`)
                break
              default:
                await believer.ask(random.next(2) === 0 ? 'NOOP' : `FETCH ${1 + random.next(count)} (UID BODY.PEEK[])`)
            }
          }
        }),
      )
      await until(
        'agreement',
        async () => new Set(await Promise.all(believers.map((believer) => believer.whole()))).size === 1,
      )
      assert.ok((believers[0]?.gone.size ?? 0) > 0 && (believers[0]?.uids.length ?? 0) > 0)
    } finally {
      for (const dialogue of open) dialogue[Symbol.dispose]()
    }
  })
})
