/** `mailweir replay`: what the present classifier would say of the mail of a stretch of time. */
import { readSettings } from '#lib/runtime/settings.ts'
import { classifyOptions, classifySettings } from '#services/classify/config.ts'
import { replay } from '#services/classify/replay.ts'
import { closePorts, openPorts } from '../ports.ts'
import { portSettings, sourceOf } from '../settings.ts'
import { timeOf } from '../time.ts'

export async function runReplay(
  configFile: string | undefined,
  options: { readonly from: string; readonly to?: string; readonly name: string; readonly json?: boolean },
): Promise<number> {
  const values = readSettings('mailweir replay', { ...portSettings, ...classifySettings }, sourceOf(configFile), {
    fallbacks: { LOG_LEVEL: 'warn' },
  })
  const range = {
    from: timeOf('--from', options.from),
    to: options.to === undefined ? Date.now() : timeOf('--to', options.to),
    name: options.name,
    classify: classifyOptions(values),
  }
  const ports = await openPorts(values, 'replay')
  try {
    const summary = await replay(range, ports, ({ id, before, after }) => {
      process.stdout.write(
        options.json ? `${JSON.stringify({ id, before, after })}\n` : `${id}\n  - ${before}\n  + ${after}\n`,
      )
    })
    process.stdout.write(
      options.json
        ? `${JSON.stringify(summary)}\n`
        : `${summary.messages} messages, ${summary.changed} verdicts changed, ${summary.unknown} without a verdict before, ${summary.undecodable} unreadable; written to ${summary.topic}\n`,
    )
    return 0
  } finally {
    await closePorts(ports)
  }
}
