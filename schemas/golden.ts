/**
 * Writes one encoded record of each schema as this release writes it: `node schemas/golden.ts RELEASE`. Existing files are
 * never written again: they have to be readable for ever.
 */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openCodec, type RecordName, typeOf } from './codec.ts'

const release = process.argv[2] ?? ''
if (!/^\d+\.\d+\.\d+$/.test(release)) throw new Error('usage: node schemas/golden.ts RELEASE')
const codec = await openCodec()
const names = [
  'raw',
  'classified',
  'event',
  'retry',
  'dead',
  'index',
  'folder',
  'suppression',
  'segment',
  'replay',
] as const
for (const name of names satisfies readonly RecordName[]) {
  const path = join(import.meta.dirname, 'golden', `${name}.${release}.bin`)
  if (existsSync(path)) continue
  // A random record has every shape that its schema allows; its types are right by construction.
  writeFileSync(path, codec.encode(name, typeOf(name).random() as never))
}
