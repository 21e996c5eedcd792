/** `npm run bench`: runs every benchmark, or those whose names are given, and prints their tables. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'

const names = readdirSync(import.meta.dirname, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)
const wanted = process.argv.slice(2)
for (const name of wanted.length > 0 ? wanted : names) {
  if (!names.includes(name)) throw new Error(`there is no benchmark ${name}: ${names.join(', ')}`)
  const { run } = (await import(join(import.meta.dirname, name, 'bench.ts'))) as { run: () => Promise<string> }
  process.stdout.write(`${name}\n${await run()}\n`)
}
