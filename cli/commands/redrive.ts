/** `mailweir redrive`: dead letters, or with `--history` any message, once more to the legacy system. */
import { type RedriveOptions, redrive } from '#lib/letters/redrive.ts'
import { readSettings } from '#lib/runtime/settings.ts'
import { closePorts, openPorts } from '../ports.ts'
import { portSettings, sourceOf } from '../settings.ts'
import { timeOf } from '../time.ts'

export async function runRedrive(
  configFile: string | undefined,
  options: {
    readonly id?: readonly string[]
    readonly reason?: string
    readonly reply?: string
    readonly from?: string
    readonly to?: string
    readonly dryRun?: boolean
    readonly again?: boolean
    readonly history?: boolean
    readonly rate: number
  },
): Promise<number> {
  const values = readSettings('mailweir redrive', portSettings, sourceOf(configFile), {
    fallbacks: { LOG_LEVEL: 'warn' },
  })
  const isHistory = options.history ?? false
  if (isHistory && options.id === undefined && options.from === undefined) {
    process.stderr.write('--history sends what was taken before once more: say which by --id or --from\n')
    return 64
  }
  if (isHistory && (options.reason !== undefined || options.reply !== undefined)) {
    process.stderr.write('--reason and --reply are of dead letters: not with --history\n')
    return 64
  }
  const filter: RedriveOptions = {
    history: isHistory,
    ids: options.id ?? [],
    reason: options.reason ?? null,
    reply: options.reply ?? null,
    from: options.from === undefined ? 0 : timeOf('--from', options.from),
    to: options.to === undefined ? Date.now() : timeOf('--to', options.to),
    dryRun: options.dryRun ?? false,
    again: options.again ?? false,
    rate: Math.max(1, options.rate),
  }
  const ports = await openPorts(values, 'redrive')
  try {
    const summary = await redrive(filter, ports, (letter) => {
      process.stdout.write(`${letter.id} ${letter.reason} ${letter.reply}\n`)
    })
    process.stdout.write(
      `${summary.redriven} messages ${filter.dryRun ? 'would go' : 'go'} to the legacy system again; passed over: ${summary.before} driven before, ${summary.retried} still retried, ${summary.unsendable} that are no messages\n`,
    )
    return 0
  } finally {
    await closePorts(ports)
  }
}
