/** Quarantine and the IMAP facade on a real embedded log, and dialogues with it. */
import assert from 'node:assert/strict'
import { imapTls } from '#cli/account.ts'
import { readSettings } from '#lib/runtime/settings.ts'
import { classify } from '#services/classify/classify.ts'
import { imapSettings, quarantineSettings } from '#services/quarantine/config.ts'
import { type Imap, startImap } from '#services/quarantine/imap/server.ts'
import { startQuarantine } from '#services/quarantine/service.ts'
import { Dialogue } from './dialogue.ts'
import { rawRecord, type TestPorts } from './embedded.ts'
import { until } from './wait.ts'

const receivedAt = Date.UTC(2026, 10, 24, 12)
/** Where messages that are nothing in particular go. */
export const mailbox = 'Unknown/2026-11-24'

export async function startFacade(ports: TestPorts, more: Record<string, string> = {}) {
  const environment = {
    IMAP_LISTEN: '127.0.0.1:0',
    IMAPS_LISTEN: '127.0.0.1:0',
    IMAP_USER: 'reader',
    IMAP_PASSWORD: 'secret word',
    SEGMENT_MS: '50',
    // The messages of these tests were received long ago or just now: none expires meanwhile.
    RETENTION: '[{"kind":"*","variant":"*","class":"other","days":3650}]',
    ...more,
  }
  const quarantine = startQuarantine(readSettings('test', quarantineSettings, { environment }), ports)
  const config = readSettings('test', imapSettings, { environment })
  const tls = await imapTls({ dataDir: ports.folder, imapTlsCert: null, imapTlsKey: null })
  const start = () => startImap(config, { ...ports, viewPath: '', tls })
  const imap = start()
  const replicas: Imap[] = []
  await Promise.all([quarantine.ready, imap.ready])
  let n = 0
  return {
    imap,
    /** Stores messages, and waits until the index has them. */
    store: async (...contents: (string | Buffer)[]) => {
      for (const content of contents) {
        const raw = rawRecord({ id: `m${n}`, content, receivedAt })
        const value = ports.codec.encode('classified', {
          ...raw,
          position: { partition: 0, offset: n++ },
          verdict: classify(raw.bytes ?? Buffer.alloc(0), raw.envelope),
        })
        await ports.log.append('mail.classified', { key: raw.id, partition: 0, value })
      }
      await until(
        'the index',
        async () => (await ports.decoded('mail.index', 'index')).filter(({ type }) => type === 'added').length >= n,
      )
      await new Promise((resolve) => setTimeout(resolve, 60))
    },
    open: async (login = true) => {
      const dialogue = await Dialogue.open(imap.port)
      await dialogue.hear(/^\* OK/)
      let tag = 0
      const ask = async (command: string): Promise<string> => {
        const name = `t${++tag}`
        dialogue.say(`${name} ${command}\r\n`)
        return dialogue.hear(new RegExp(`^${name} `))
      }
      if (login) assert.match(await ask('LOGIN reader "secret word"'), /OK/)
      return Object.assign(dialogue, { ask })
    },
    /** Another process of the same settings, with a view of its own. */
    replica: async (): Promise<Imap> => {
      const replica = start()
      replicas.push(replica)
      await replica.ready
      return replica
    },
    [Symbol.asyncDispose]: async () => {
      for (const each of [imap, ...replicas]) await each.stop()
      await quarantine.stop()
    },
  }
}
