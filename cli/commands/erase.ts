/** `mailweir erase`: removes one person's stored mail, and leaves a signed record of what was done. */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import { join } from 'node:path'
import { MailweirError } from '#lib/runtime/errors.ts'
import { readSettings } from '#lib/runtime/settings.ts'
import { erase } from '#services/quarantine/archive/erase.ts'
import { keep, readOrNull } from '../account.ts'
import { closePorts, openPorts } from '../ports.ts'
import { portSettings, sourceOf } from '../settings.ts'

export async function runErase(
  configFile: string | undefined,
  options: { readonly address: string; readonly dryRun?: boolean; readonly pseudonymise?: boolean },
): Promise<number> {
  if (!/^[^\s@]+@[^\s@]+$/.test(options.address)) {
    throw new MailweirError('SETTINGS_WRONG', `--address=${JSON.stringify(options.address)}: expected an address`)
  }
  const values = readSettings('mailweir erase', portSettings, sourceOf(configFile), {
    fallbacks: { LOG_LEVEL: 'warn' },
  })
  const ports = await openPorts(values, 'erase')
  try {
    const dryRun = options.dryRun === true
    const done = await erase(ports, {
      address: options.address,
      dryRun,
      pseudonymise: options.pseudonymise === true,
    })
    const at = new Date(ports.clock.now())
    const raw = await ports.log.admin.describeTopics(['mail.raw', 'mail.dead', 'mail.events'])
    const record = {
      at: at.toISOString(),
      dryRun,
      // Who it was about can be proved to who knows the address; the record itself names nobody.
      addressSha256: createHash('sha256').update(options.address.toLowerCase()).digest('hex'),
      ...done,
      // The log forgets by time alone; what is erased does not come back from it (replay passes it over).
      logForgetsAfterMs: Object.fromEntries(
        raw.flatMap((topic) => (topic === null ? [] : [[topic.name, topic.retentionMs]])),
      ),
    }
    const signed = dryRun ? record : { ...record, ...signatureOf(JSON.stringify(record), values.dataDir) }
    process.stdout.write(`${JSON.stringify(signed, null, 2)}\n`)
    if (!dryRun) {
      const key = `erasures/${at.toISOString().replace(/[^0-9TZ]/g, '')}-${record.addressSha256.slice(0, 12)}.json`
      await ports.objects.put(key, Buffer.from(`${JSON.stringify(signed)}\n`))
    }
    return done.busy.length > 0 ? 75 : 0 // EX_TEMPFAIL of sysexits.h: run it once more.
  } finally {
    await closePorts(ports)
  }
}

/** Ed25519 (RFC 8032) over the record as JSON, without these two fields; the key is made once, below DATA_DIR. */
function signatureOf(text: string, dataDir: string): { readonly publicKey: string; readonly signature: string } {
  const path = join(dataDir, 'erase-key.pem')
  const pem =
    readOrNull(path) ??
    keep(path, generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString())
  const key = createPrivateKey(pem)
  return {
    publicKey: createPublicKey(key).export({ type: 'spki', format: 'der' }).toString('base64'),
    signature: sign(null, Buffer.from(text), key).toString('base64'),
  }
}
