/**
 * UIDVALIDITY: the epoch of `mail.index`, a record of `mail.folders`. It is written when that topic is made; where it is missing
 * the first replica that starts writes it. Of several the last counts, as compaction has it.
 */
import type { Log } from '#lib/log/log.ts'
import { partitionOf } from '#lib/log/partition.ts'
import { readAll } from '#lib/log/read-all.ts'
import type { Clock } from '#lib/runtime/clock.ts'
import type { Codec } from '#schemas/codec.ts'
import { fewPartitions } from '#schemas/topics.ts'
import { blankFolder } from './folders.ts'

const key = 'epoch'

export async function readEpoch(log: Log, codec: Codec): Promise<number | null> {
  let epoch: number | null = null
  for await (const record of readAll(log, 'mail.folders')) {
    if (record.key !== key || record.value === null) continue
    const folder = codec.decode('folder', record.value)
    if (folder.type === 'epoch') epoch = folder.value
  }
  return epoch
}

export async function writeEpoch(log: Log, codec: Codec, clock: Clock): Promise<void> {
  const at = clock.now()
  await log.append('mail.folders', {
    key,
    partition: partitionOf(key, fewPartitions),
    value: codec.encode('folder', { ...blankFolder, type: 'epoch', at, value: Math.floor(at / 1000) }),
  })
}

export async function openEpoch(log: Log, codec: Codec, clock: Clock): Promise<number> {
  const known = await readEpoch(log, codec)
  if (known !== null) return known
  await writeEpoch(log, codec, clock)
  return (await readEpoch(log, codec)) ?? Math.floor(clock.now() / 1000)
}
