/** Ingest on a real embedded log, and dialogues with it. */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { imapTls } from '#cli/account.ts'
import { readSettings } from '#lib/runtime/settings.ts'
import { checkIngest, ingestSettings } from '#services/ingest/config.ts'
import { startIngest } from '#services/ingest/service.ts'
import { Dialogue } from './dialogue.ts'
import type { TestPorts } from './embedded.ts'

/** What is tried in the clear is tried under TLS as well. */
export const ways = ['in the clear', 'under TLS'] as const
/** @param folder where the certificate goes */
export async function startIn(
  way: (typeof ways)[number],
  ports: TestPorts,
  folder: string,
  more: Record<string, string>,
) {
  if (way === 'in the clear') return start(ports, more)
  const { cert, key } = await certificate(folder)
  const tls = { SMTP_TLS_CERT: cert, SMTP_TLS_KEY: key, SMTPS_LISTEN: '127.0.0.1:0' }
  const ingest = await start(ports, { ...tls, ...more })
  const open = async (): Promise<Dialogue> => {
    const dialogue = await Dialogue.openTls(ingest.service.tlsPort)
    await dialogue.hear(/^220 /)
    return dialogue
  }
  return { ...ingest, open }
}

export async function start(ports: TestPorts, more: Record<string, string> = {}) {
  const config = readSettings('test', ingestSettings, {
    environment: { SMTP_LISTEN: '127.0.0.1:0', MAIL_DOMAINS: 'bounces.example.com', ...more },
  })
  assert.deepEqual(checkIngest({ ...config, recordBytesMax: 1_048_576 }), [])
  const service = startIngest(config, ports)
  await service.ready
  return {
    service,
    open: async () => {
      const dialogue = await Dialogue.open(service.port)
      await dialogue.hear(/^220 /)
      return dialogue
    },
    [Symbol.asyncDispose]: () => service.stop(),
  }
}

export const hello = (dialogue: Dialogue) => dialogue.smtp('EHLO client.example')
export const begin = async (dialogue: Dialogue): Promise<void> => {
  await dialogue.smtp('MAIL FROM:<>')
  await dialogue.smtp('RCPT TO:<b@bounces.example.com>')
  assert.match(await dialogue.smtp('DATA'), /^354/)
}

/** A certificate of our own making, in two files. */
export async function certificate(folder: string): Promise<{ cert: string; key: string }> {
  mkdirSync(folder, { recursive: true })
  const { cert: pem } = await imapTls({ dataDir: folder, imapTlsCert: null, imapTlsKey: null })
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  const [certificatePart = '', keyPart = ''] = pem.toString().split(/(?<=-----END CERTIFICATE-----)\n/)
  writeFileSync(cert, certificatePart)
  writeFileSync(key, keyPart)
  return { cert, key }
}
