/** `mailweir quarantine verify`: reads stored messages again and compares them with the index. */
import { readSettings } from '#lib/runtime/settings.ts'
import { verify } from '#services/quarantine/archive/verify.ts'
import { closePorts, openPorts } from '../ports.ts'
import { portSettings, sourceOf } from '../settings.ts'

/** A line of JSON for each fault, then one with the sums; the exit code is 1 where there are faults. */
export async function runVerify(configFile: string | undefined, options: { readonly sample: number }): Promise<number> {
  const values = readSettings('mailweir quarantine verify', portSettings, sourceOf(configFile), {
    fallbacks: { LOG_LEVEL: 'warn' },
  })
  const ports = await openPorts(values, 'verify')
  try {
    const summary = await verify(ports, { share: options.sample / 100, now: ports.clock.now() }, (fault) => {
      process.stdout.write(`${JSON.stringify(fault)}\n`)
    })
    process.stdout.write(`${JSON.stringify(summary)}\n`)
    return summary.faults > 0 ? 1 : 0
  } finally {
    await closePorts(ports)
  }
}
