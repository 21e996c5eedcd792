/** `mailweir lag`: what waits for each service, how old it is, when retention would drop it, and what disk an outage needs. */
import { type Lag, lagSample, lagsOf, meanBytes, recordsOf } from '#lib/log/lag.ts'
import type { Log } from '#lib/log/log.ts'
import { readSettings } from '#lib/runtime/settings.ts'
import { closePorts, openPorts } from '../ports.ts'
import { groups } from '../services.ts'
import { portSettings, sourceOf } from '../settings.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs

export async function runLag(configFile: string | undefined): Promise<number> {
  const values = readSettings('mailweir lag', portSettings, sourceOf(configFile), { fallbacks: { LOG_LEVEL: 'warn' } })
  const ports = await openPorts(values, 'lag')
  try {
    const lags = await lagsOf(ports.log, groups, Date.now())
    const rows = [['group', 'topic', 'waiting', 'about', 'oldest', 'dropped in'], ...lags.map(rowOf)]
    const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? []
    for (const row of rows) {
      process.stdout.write(
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
      )
    }
    process.stdout.write(`${await growthOf(ports.log, Date.now())}\n`)
    return 0
  } finally {
    await closePorts(ports)
  }
}

/** How fast mail.raw grows, by its last hour, and what its retention needs then. */
async function growthOf(log: Log, now: number): Promise<string> {
  const [state] = await log.admin.describeTopics(['mail.raw'])
  const ends = await log.admin.offsets('mail.raw')
  const hourAgo = await log.admin.offsetsAt('mail.raw', now - hourMs)
  const from = new Map<number, bigint>()
  const to = new Map<number, bigint>()
  let grown = 0n
  for (const { partition, earliest, end } of ends) {
    grown += end - (hourAgo.get(partition) ?? end)
    from.set(partition, end - lagSample > earliest ? end - lagSample : earliest)
    to.set(partition, end)
  }
  const perDay = Number(grown) * 24 * meanBytes(await recordsOf(log, 'mail.raw', from, to))
  const days = (state?.retentionMs ?? 0) / dayMs
  return `mail.raw grows by ${bytesText(perDay)} a day, by its last hour: an outage of 3 days needs ${bytesText(perDay * 3)}, its retention of ${days} days ${bytesText(perDay * days)}, on each replica, before compression`
}

const rowOf = ({ group, topic, messages, bytes, oldestMs, retentionLeftMs }: Lag): string[] => [
  group,
  topic,
  String(messages),
  bytesText(bytes),
  oldestMs === null ? '-' : durationText(oldestMs),
  retentionLeftMs === null ? '-' : durationText(retentionLeftMs),
]

function bytesText(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB']
  let unit = 0
  let left = bytes
  for (; left >= 1000 && unit < units.length - 1; unit++) left /= 1000
  return `${left < 10 && unit > 0 ? left.toFixed(1) : Math.round(left)} ${units[unit]}`
}

function durationText(ms: number): string {
  const minutes = Math.max(0, Math.floor(ms / 60_000))
  const [days, hours] = [Math.floor(minutes / 1440), Math.floor((minutes % 1440) / 60)]
  return days > 0 ? `${days} d ${hours} h` : hours > 0 ? `${hours} h ${minutes % 60} min` : `${minutes} min`
}
