/** What waits in a topic for a group, partition by partition: from the first record not committed that retention has left, to the end. */
import type { LogAdmin } from './log.ts'

export type Waiting = {
  readonly partition: number
  readonly from: bigint
  /** One behind the last record; `from` where nothing waits. */
  readonly to: bigint
}

export async function waitingFor(admin: LogAdmin, group: string, topic: string): Promise<readonly Waiting[]> {
  const committed = new Map((await admin.committed(group, topic)).map((each) => [each.partition, each.offset]))
  return (await admin.offsets(topic)).map(({ partition, earliest, end }) => {
    const offset = committed.get(partition) ?? earliest
    const from = offset > earliest ? offset : earliest
    return { partition, from, to: from < end ? end : from }
  })
}
