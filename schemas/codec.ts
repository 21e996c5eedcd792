/**
 * Bytes ↔ records.
 *
 * Wire layouts:
 *   single-object encoding (Avro specification, "Single-object encoding"):  C3 01, CRC-64-AVRO fingerprint (8 bytes, little-endian), body
 *   Confluent wire format (with a schema registry):                         00, schema id (4 bytes, big-endian), body
 *
 * What is written follows the settings; both are read, whatever the settings. A record written with an older schema is
 * resolved to the present one. Bytes that are neither give a `RECORD_UNDECODABLE` error; a registry id that is not
 * known yet gives a retriable `RECORD_SCHEMA_UNKNOWN` error while it is being fetched.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import avro from 'avsc'
import { describeError, MailweirError } from '#lib/runtime/errors.ts'
import { endOf } from './bounds.ts'
import { readSchemas } from './generate.ts'
import { topics } from './topics.ts'
import type { Classified, Dead, Event, Folder, Index, Raw, Replay, Retry, Segment, Suppression } from './types.ts'

export interface RecordTypes {
  readonly raw: Raw
  readonly classified: Classified
  readonly event: Event
  readonly retry: Retry
  readonly dead: Dead
  readonly index: Index
  readonly folder: Folder
  readonly suppression: Suppression
  readonly segment: Segment
  readonly replay: Replay
}
export type RecordName = keyof RecordTypes

export interface Codec {
  encode<N extends RecordName>(name: N, record: RecordTypes[N]): Buffer
  /** Throws `MailweirError` RECORD_UNDECODABLE or RECORD_SCHEMA_UNKNOWN. */
  decode<N extends RecordName>(name: N, bytes: Buffer | null): RecordTypes[N]
}

const here = dirname(fileURLToPath(import.meta.url))
const singleObjectMark = 0xc301
const singleObjectHeaderBytes = 10
const registryMark = 0x00
const registryHeaderBytes = 5
/** Room for the fields of a record besides a message: of verdicts on real bounces 99 in 100 take less; one that takes more is written twice. */
const bytesGuess = 2_048

const current = new Map<string, avro.Type>()
for (const schema of readSchemas()) {
  const type = parseSchema(JSON.parse(schema))
  current.set(type.name?.replace(/^mailweir\./, '').toLowerCase() ?? '', type)
}

export function typeOf(name: RecordName): avro.Type {
  const type = current.get(name)
  if (type === undefined) throw new Error(`There is no schemas/${name}.avsc`)
  return type
}

/** Schemas as Avro wants them in files that other engines read: complete, with docs. */
export const schemaText = (name: RecordName): string => readFileSync(join(here, `${name}.avsc`), 'utf8')

function parseSchema(schema: object): avro.Type {
  // A registry holds the names; two files may define the same nested record, so each parse has a registry of its own.
  return avro.Type.forSchema(schema as avro.Schema, { registry: {} }) // Checked by avsc as it reads it.
}

/** Schemas that earlier releases wrote, by record name: `history/<name>.<n>.avsc`. */
function readHistory(): { name: string; schema: object }[] {
  const folder = join(here, 'history')
  let files: string[]
  try {
    files = readdirSync(folder)
  } catch {
    return []
  }
  return files
    .filter((file) => file.endsWith('.avsc'))
    .map((file) => ({ name: file.split('.')[0] ?? '', schema: JSON.parse(readFileSync(join(folder, file), 'utf8')) }))
}

// ---- fingerprints -------------------------------------------------------------------------------------------------

const crcEmpty = 0xc15d213aa4d7a795n
const crcTable = Array.from({ length: 256 }, (_, index) => {
  let value = BigInt(index)
  for (let bit = 0; bit < 8; bit++) value = (value >> 1n) ^ (crcEmpty & -(value & 1n) & 0xffffffffffffffffn)
  return value
})

/** CRC-64-AVRO (Avro specification, "Schema Fingerprints") of a schema's Parsing Canonical Form, as 8 bytes little-endian. */
export function fingerprint(type: avro.Type): Buffer {
  let value = crcEmpty
  for (const byte of Buffer.from(canonicalForm(type))) {
    value = (value >> 8n) ^ (crcTable[Number((value ^ BigInt(byte)) & 0xffn)] ?? 0n)
  }
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(value)
  return bytes
}

/** Parsing Canonical Form: full names, only the attributes that matter, no white space. */
export const canonicalForm = (type: avro.Type): string => JSON.stringify(type.schema())

// ---- the codec ----------------------------------------------------------------------------------------------------

type Resolved = { readonly writer: avro.Type; readonly resolver: ReturnType<avro.Type['createResolver']> | null }

export type CodecOptions = {
  /** Base URL of a Confluent-compatible schema registry; absent: single-object encoding. */
  readonly registryUrl?: string | null
  /** Schemas besides ours that may have written records: tests hand in older ones. */
  readonly older?: readonly { readonly name: RecordName; readonly schema: object }[]
}

/** Opens a codec; with a registry, registers our schemas there first (subject `<topic>-value`). */
export async function openCodec(options: CodecOptions = {}): Promise<Codec> {
  const known = new Map<string, Resolved>()
  const headers = new Map<RecordName, Buffer>()

  const learn = (key: string, name: RecordName, writer: avro.Type): void => {
    const reader = typeOf(name)
    try {
      known.set(key, {
        writer,
        resolver: canonicalForm(writer) === canonicalForm(reader) ? null : reader.createResolver(writer),
      })
    } catch (error) {
      throw new MailweirError('RECORD_SCHEMA_UNKNOWN', `A schema of ${name} cannot be read as the present one`, {
        cause: error,
        fields: { schema: name },
      })
    }
  }

  for (const name of current.keys() as MapIterator<RecordName>) {
    const mark = fingerprint(typeOf(name))
    learn(`${name} ${mark.toString('hex')}`, name, typeOf(name))
    headers.set(name, Buffer.concat([Buffer.from([0xc3, 0x01]), mark]))
  }
  for (const { name, schema } of [...readHistory(), ...(options.older ?? [])]) {
    const type = parseSchema(schema)
    learn(`${name} ${fingerprint(type).toString('hex')}`, name as RecordName, type) // File names are record names.
  }

  const registry = options.registryUrl ? openRegistry(options.registryUrl) : null
  if (registry !== null) {
    for (const topic of topics) {
      const id = await registry.register(`${topic.name}-value`, schemaText(topic.record))
      const header = Buffer.alloc(registryHeaderBytes)
      header.writeUInt32BE(id, 1)
      headers.set(topic.record, header)
      learn(`${topic.record} #${id}`, topic.record, typeOf(topic.record))
    }
  }

  function undecodable(name: RecordName, why: string, cause?: unknown): MailweirError {
    return new MailweirError('RECORD_UNDECODABLE', `Bytes are not a ${name} record: ${why}`, {
      cause,
      fields: { schema: name },
    })
  }

  function unknownId(name: RecordName, id: number): MailweirError {
    if (registry === null) return undecodable(name, 'it names a registry schema, and SCHEMA_REGISTRY_URL is not set')
    const state = registry.fetch(id, (schema) => learn(`${name} #${id}`, name, parseSchema(schema)))
    return new MailweirError('RECORD_SCHEMA_UNKNOWN', `Schema ${id} of a ${name} record is not known: ${state.why}`, {
      retriable: state.retriable,
      fields: { schema: name, id },
    })
  }

  return {
    encode(name, record) {
      const header = headers.get(name)
      if (header === undefined) throw new Error(`There is no schemas/${name}.avsc`)
      const type = typeOf(name)
      // One buffer, written once: the message itself is most of what a record holds.
      const content = 'bytes' in record ? (record.bytes?.length ?? 0) : 0
      for (let size = header.length + content + bytesGuess; ; ) {
        const buffer = Buffer.allocUnsafe(size)
        header.copy(buffer)
        const end = type.encode(record, buffer, header.length)
        if (end >= 0) return buffer.subarray(0, end)
        size -= end // What was missing.
      }
    },
    decode(name, bytes) {
      if (bytes === null) throw undecodable(name, 'there is no value')
      let key: string
      let body: Buffer
      if (bytes.length >= singleObjectHeaderBytes && bytes.readUInt16BE(0) === singleObjectMark) {
        key = `${name} ${bytes.toString('hex', 2, singleObjectHeaderBytes)}`
        body = bytes.subarray(singleObjectHeaderBytes)
        if (!known.has(key)) throw undecodable(name, 'no schema of ours has its fingerprint')
      } else if (bytes.length >= registryHeaderBytes && bytes[0] === registryMark) {
        const id = bytes.readUInt32BE(1)
        key = `${name} #${id}`
        body = bytes.subarray(registryHeaderBytes)
        if (!known.has(key)) throw unknownId(name, id)
      } else throw undecodable(name, 'it starts like neither of the two framings')
      const resolved = known.get(key)
      try {
        if (resolved !== undefined && endOf(resolved.writer, body, 0) !== body.length)
          throw new RangeError('bytes are left over')
        // fromBuffer checks that nothing is left over; its result has the shape of the schema by construction.
        return resolved?.resolver ? typeOf(name).fromBuffer(body, resolved.resolver) : typeOf(name).fromBuffer(body)
      } catch (error) {
        throw undecodable(name, 'the body does not fit the schema', error)
      }
    },
  }
}

// ---- the registry -------------------------------------------------------------------------------------------------

const registryTimeoutMs = 10_000

/** A client of the two calls that we need of a Confluent-compatible registry. */
function openRegistry(url: string) {
  const base = url.replace(/\/+$/, '')
  const states = new Map<number, { retriable: boolean; why: string }>()

  async function call(path: string, init: RequestInit): Promise<unknown> {
    let response: Response
    try {
      response = await fetch(base + path, { ...init, signal: AbortSignal.timeout(registryTimeoutMs) })
    } catch (error) {
      throw new MailweirError('REGISTRY_UNAVAILABLE', `The schema registry did not answer ${path}`, {
        cause: error,
        retriable: true,
      })
    }
    if (!response.ok) {
      throw new MailweirError('REGISTRY_UNAVAILABLE', `The schema registry answered ${response.status} to ${path}`, {
        retriable: response.status >= 500,
        fields: { status: response.status },
      })
    }
    return response.json()
  }

  return {
    async register(subject: string, schema: string): Promise<number> {
      const answer = await call(`/subjects/${encodeURIComponent(subject)}/versions`, {
        method: 'POST',
        headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
        body: JSON.stringify({ schema }),
      })
      const id = (answer as { id?: unknown }).id // The registry's answer; checked below.
      if (typeof id !== 'number') {
        throw new MailweirError('REGISTRY_UNAVAILABLE', `The schema registry gave no id for ${subject}`)
      }
      return id
    },
    /** Fetches a schema in the background; what it says of the state meanwhile tells whether to come again. */
    fetch(id: number, learned: (schema: object) => void): { retriable: boolean; why: string } {
      const state = states.get(id)
      if (state !== undefined) return state
      const asking = { retriable: true, why: 'asking the registry' }
      states.set(id, asking)
      call(`/schemas/ids/${id}`, { method: 'GET' })
        .then((answer) => {
          learned(JSON.parse(String((answer as { schema?: unknown }).schema))) // The registry's answer; parsed strictly.
          states.delete(id)
        })
        .catch((error: unknown) => {
          if (error instanceof MailweirError && error.retriable) states.delete(id)
          else states.set(id, { retriable: false, why: describeError(error) })
        })
      return asking
    },
  }
}
