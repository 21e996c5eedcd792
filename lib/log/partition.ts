/**
 * The partition of a key, as Kafka's default partitioner picks it (murmur2 over the key's UTF-8, Kafka
 * `BuiltInPartitioner.partitionForKey`), so that other producers and both adapters agree.
 */
export function partitionOf(key: string, partitions: number): number {
  return (murmur2(Buffer.from(key)) & 0x7fffffff) % partitions
}

function murmur2(data: Buffer): number {
  const m = 0x5bd1e995
  let h = 0x9747b28c ^ data.length
  let at = 0
  for (; at + 4 <= data.length; at += 4) {
    let k = Math.imul(data.readInt32LE(at), m)
    k = Math.imul(k ^ (k >>> 24), m)
    h = Math.imul(h, m) ^ k
  }
  const rest = data.length - at
  if (rest >= 3) h ^= (data[at + 2] ?? 0) << 16
  if (rest >= 2) h ^= (data[at + 1] ?? 0) << 8
  if (rest >= 1) h = Math.imul(h ^ (data[at] ?? 0), m)
  h = Math.imul(h ^ (h >>> 13), m)
  return h ^ (h >>> 15)
}
