/** `mailweir audit FILE`: the legacy system's own suppression list (CSV) against what the mail says. */
import { createReadStream } from 'node:fs'
import { readAll } from '#lib/log/read-all.ts'
import { readSettings } from '#lib/runtime/settings.ts'
import type { Suppression } from '#schemas/types.ts'
import { audit, csvCell, type Finding, readList } from '#services/console/audit.ts'
import { closePorts, openPorts } from '../ports.ts'
import { portSettings, sourceOf } from '../settings.ts'

export async function runAudit(
  configFile: string | undefined,
  file: string,
  options: { readonly json?: boolean; readonly csv?: boolean },
): Promise<number> {
  const values = readSettings('mailweir audit', portSettings, sourceOf(configFile), {
    fallbacks: { LOG_LEVEL: 'warn' },
  })
  const ports = await openPorts(values, 'audit')
  try {
    const known = new Map<string, Suppression>()
    for await (const record of readAll(ports.log, 'mail.suppressions')) {
      if (record.value === null) known.delete(record.key ?? '')
      else known.set(record.key ?? '', ports.codec.decode('suppression', record.value))
    }
    const list = readList(file === '-' ? process.stdin : createReadStream(file))
    if (options.csv === true) process.stdout.write('address,finding,cause,reason,late_hours,evidence\r\n')
    const write = (finding: Finding): void => {
      if (options.json === true) process.stdout.write(`${JSON.stringify(finding)}\n`)
      else if (options.csv === true) process.stdout.write(lineOf(finding))
    }
    const book = { get: (address: string) => known.get(address) ?? null, all: () => known.values() }
    const summary = await audit(list, book, write)
    if (options.json === true) process.stdout.write(`${JSON.stringify(summary)}\n`)
    else if (options.csv !== true) {
      const hours = (ms: number): string => (ms / 3_600_000).toFixed(1)
      process.stdout.write(
        `${summary.listed} addresses in the list: ${summary.supported} that mail supports, ${summary.unsupported} that no mail does\n` +
          `${summary.missed} that mail would suppress are not in it\n` +
          `${summary.late.count} came later than the mail, by ${hours(summary.late.medianMs)} hours at the median, ${hours(summary.late.mostMs)} at most\n`,
      )
      for (const { reason, supported, unsupported } of summary.byReason.slice(0, 20))
        process.stdout.write(
          `  ${reason === '' ? '(no reason)' : reason}: ${supported} supported, ${unsupported} not\n`,
        )
    }
    return 0
  } finally {
    await closePorts(ports)
  }
}

const lineOf = ({ address, finding, cause, reason, lateMs, evidence }: Finding): string =>
  `${[address, finding, cause, reason, lateMs === null ? '' : (lateMs / 3_600_000).toFixed(2), evidence.join(' ')].map(csvCell).join(',')}\r\n`
