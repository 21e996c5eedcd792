/** `mailweir audit FILE`: the legacy system's own suppression list (CSV), or its log, against what the mail says. */
import { createReadStream } from 'node:fs'
import { readAll } from '#lib/log/read-all.ts'
import { readSettings } from '#lib/runtime/settings.ts'
import { decodeOrNull } from '#schemas/read.ts'
import type { Suppression } from '#schemas/types.ts'
import { audit, type Finding, findingLine, findingNames, readList, readLog } from '#services/console/audit.ts'
import { consoleSettings } from '#services/console/config.ts'
import { closePorts, openPorts, type Ports } from '../ports.ts'
import { portSettings, sourceOf } from '../settings.ts'

export async function runAudit(
  configFile: string | undefined,
  file: string,
  options: { readonly json?: boolean; readonly csv?: boolean; readonly log?: boolean },
): Promise<number> {
  const values = readSettings(
    'mailweir audit',
    { ...portSettings, auditLog: consoleSettings.auditLog },
    sourceOf(configFile),
    {
      fallbacks: { LOG_LEVEL: 'warn' },
    },
  )
  const ports = await openPorts(values, 'audit')
  try {
    const known = new Map<string, Suppression>()
    for await (const record of readAll(ports.log, 'mail.suppressions')) {
      if (record.value === null) known.delete(record.key ?? '')
      else known.set(record.key ?? '', ports.codec.decode('suppression', record.value))
    }
    const source = file === '-' ? process.stdin : createReadStream(file)
    const list = options.log === true ? readLog(source, values.auditLog) : readList(source)
    const campaignOf = await campaignsOf(ports, known)
    if (options.csv === true) process.stdout.write(`${findingNames.join(',')}\r\n`)
    const write = (finding: Finding): void => {
      if (options.json === true) process.stdout.write(`${JSON.stringify(finding)}\n`)
      else if (options.csv === true) process.stdout.write(findingLine(finding))
    }
    const book = { get: (address: string) => known.get(address) ?? null, all: () => known.values(), campaignOf }
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

/** The campaign of messages that support a suppression, as mail.events still has it. */
async function campaignsOf(
  { log, codec }: Pick<Ports, 'log' | 'codec'>,
  known: ReadonlyMap<string, Suppression>,
): Promise<(id: string) => string> {
  const wanted = new Set([...known.values()].flatMap(({ evidence }) => evidence))
  const found = new Map<string, string>()
  for await (const record of readAll(log, 'mail.events')) {
    if (record.key === null || !wanted.has(record.key)) continue
    const campaign = decodeOrNull(codec, 'event', record.value)?.original['campaign']
    if (campaign !== undefined && campaign !== '') found.set(record.key, campaign)
  }
  return (id) => found.get(id) ?? ''
}
