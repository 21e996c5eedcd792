/**
 * Writes `types.ts` from the `*.avsc` files: `node schemas/generate.ts`. A test compares the two.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

type Field = { name: string; type: AvroType; doc?: string }
type AvroType =
  | string
  | AvroType[]
  | { type: 'record'; name: string; doc?: string; fields: Field[] }
  | { type: 'array'; items: AvroType }
  | { type: 'map'; values: AvroType }

const primitives: Record<string, string> = {
  null: 'null',
  boolean: 'boolean',
  int: 'number',
  long: 'number',
  double: 'number',
  string: 'string',
  bytes: 'Buffer',
}

export function generateTypes(schemas: readonly string[]): string {
  const records = new Map<string, string>()

  function typeOf(type: AvroType): string {
    if (typeof type === 'string') return primitives[type] ?? type.replace(/^mailweir\./, '')
    if (Array.isArray(type))
      return type
        .map(typeOf)
        .sort((a, b) => Number(a === 'null') - Number(b === 'null'))
        .join(' | ')
    if (type.type === 'array') return `readonly ${wrap(typeOf(type.items))}[]`
    if (type.type === 'map') return `Readonly<Record<string, ${typeOf(type.values)}>>`
    const lines = type.fields.flatMap((field) => [
      ...(field.doc ? [`  /** ${field.doc} */`] : []),
      `  readonly ${field.name}: ${typeOf(field.type)}`,
    ])
    const text = `/** ${type.doc ?? ''} */\nexport type ${type.name} = {\n${lines.join('\n')}\n}\n`
    const known = records.get(type.name)
    // A record that refers to others by name in one file and defines them in another still prints the same lines.
    if (known !== undefined && known !== text) throw new Error(`Two schemas define ${type.name} differently`)
    records.set(type.name, text)
    return type.name
  }
  const wrap = (type: string): string => (type.includes(' ') ? `(${type})` : type)

  for (const schema of schemas) typeOf(JSON.parse(schema))
  return `// Made from *.avsc by schemas/generate.ts: do not edit.\n\n${[...records.values()].join('\n')}`
}

const here = dirname(fileURLToPath(import.meta.url))

export const readSchemas = (): string[] =>
  readdirSync(here)
    .filter((file) => file.endsWith('.avsc'))
    .sort()
    .map((file) => readFileSync(join(here, file), 'utf8'))

if (import.meta.main) writeFileSync(join(here, 'types.ts'), generateTypes(readSchemas()))
