/** What a process cost, and tables of medians and ratios. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))

/** CPU seconds of a process and the children that it waited for, so far (proc(5), /proc/pid/stat fields 14 to 17). */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  return [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at]), 0) / ticksPerSecond
}

export const median = (numbers: readonly number[]): number => {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = sorted.length / 2
  return sorted.length % 2 === 1
    ? (sorted[Math.floor(middle)] ?? 0)
    : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}

export type Figures = { readonly perSecond: number; readonly cpuPerThousand: number }

/** Rounds of ours and of the rival's, made in turn: the ratio is taken within each round. */
export function table(rival: string, rounds: readonly { readonly ours: Figures; readonly theirs: Figures }[]): string {
  const row = (name: string, pick: (figures: Figures) => number, digits: number): string => {
    const [ours, theirs] = [rounds.map((round) => pick(round.ours)), rounds.map((round) => pick(round.theirs))]
    const ratio = median(rounds.map((round) => pick(round.ours) / pick(round.theirs)))
    return `| ${name} | ${median(ours).toFixed(digits)} | ${median(theirs).toFixed(digits)} | ${ratio.toFixed(2)} |`
  }
  return `| median of ${rounds.length} | Mailweir | ${rival} | ratio |
| --- | --- | --- | --- |
${row('messages/s', ({ perSecond }) => perSecond, 0)}
${row('CPU-s per 1,000', ({ cpuPerThousand }) => cpuPerThousand, 3)}
`
}
