/**
 * Whether bytes can be a value of an Avro type, before avsc is given them. Its decoder believes the counts that it reads: a block of
 * 2^60 items keeps it busy for ever, and fills the memory on the way. Here a count is checked against the bytes that are left.
 *
 * Layouts: Avro specification, "Binary Encoding".
 */
import type avro from 'avsc'

type Walk = (bytes: Buffer, at: number, depth: number) => number

/** Of types that name themselves. */
const depthMax = 64
/** Items that take no bytes cannot be counted against them. */
const emptyItemsMax = 1_000
const varintBytesMax = 10

const walks = new WeakMap<avro.Type, Walk>()

/** Where the value that starts at `at` ends; throws a RangeError where no value of the type can stand there. */
export function endOf(type: avro.Type, bytes: Buffer, at: number): number {
  return walkOf(type)(bytes, at, 0)
}

/** One field of the record that starts at `at`; throws a RangeError where no such record can stand there. */
export function readField(record: avro.Type, name: string, bytes: Buffer, at: number): unknown {
  const { type, start } = findField(record, name, bytes, at)
  return readValue(type, bytes, start).value
}

/** Such a field of the type `["null", "bytes"]`: a view into `bytes`, where `readField` copies. */
export function viewBytes(record: avro.Type, name: string, bytes: Buffer, at: number): Buffer | null {
  const { start } = findField(record, name, bytes, at)
  const branch = readIndex(bytes, start, 2)
  if (branch.value === 0) return null
  const length = readLong(bytes, branch.end)
  return bytes.subarray(length.end, lengthPrefixed(bytes, branch.end))
}

function findField(
  record: avro.Type,
  name: string,
  bytes: Buffer,
  at: number,
): { readonly type: avro.Type; readonly start: number } {
  let start = at
  for (const { name: each, type } of (record as unknown as Shape).fields) {
    if (each === name) return { type, start }
    start = walkOf(type)(bytes, start, 1)
  }
  throw new RangeError(`there is no field ${name}`)
}

/** A value and where it ends; throws a RangeError, or what avsc throws. */
export function readValue(
  type: avro.Type,
  bytes: Buffer,
  at: number,
): { readonly value: unknown; readonly end: number } {
  const end = endOf(type, bytes, at)
  const { value, offset } = type.decode(bytes, at)
  if (offset !== end) throw new RangeError('the value ends elsewhere')
  return { value, end }
}

function walkOf(type: avro.Type): Walk {
  const known = walks.get(type)
  if (known !== undefined) return known
  // A type may contain itself: it is looked up when it is walked.
  const walk = makeWalk(type)
  walks.set(type, walk)
  return walk
}

// avsc's types by their `typeName`, as far as they are looked at here.
type Shape = {
  readonly typeName: string
  readonly fields: readonly { readonly name: string; readonly type: avro.Type }[]
  readonly types: readonly avro.Type[]
  readonly itemsType: avro.Type
  readonly valuesType: avro.Type
  readonly size: number
  readonly symbols: readonly string[]
}

function makeWalk(type: avro.Type): Walk {
  const shape = type as unknown as Shape
  // Of a type that contains itself: they are known once it is walked.
  let fields: readonly Walk[] | null = null
  let branches: readonly Walk[] | null = null
  switch (shape.typeName) {
    case 'null':
      return (_bytes, at) => at
    case 'boolean':
      return skip(1)
    case 'int':
    case 'long':
      return (bytes, at) => readLong(bytes, at).end
    case 'float':
      return skip(4)
    case 'double':
      return skip(8)
    case 'fixed':
      return skip(shape.size)
    case 'bytes':
    case 'string':
      return lengthPrefixed
    case 'enum':
      return (bytes, at) => readIndex(bytes, at, shape.symbols.length).end
    case 'record':
    case 'error':
      return (bytes, at, depth) => {
        if (depth > depthMax) throw new RangeError('nested too deeply')
        fields ??= shape.fields.map((field) => walkOf(field.type))
        let end = at
        for (const field of fields) end = field(bytes, end, depth + 1)
        return end
      }
    case 'union:wrapped':
    case 'union:unwrapped':
      return (bytes, at, depth) => {
        branches ??= shape.types.map(walkOf)
        const { value, end } = readIndex(bytes, at, branches.length)
        const branch = branches[value]
        if (branch === undefined) throw new RangeError('no such branch of a union')
        return branch(bytes, end, depth + 1)
      }
    case 'array':
      return blocks((bytes, at, depth) => walkOf(shape.itemsType)(bytes, at, depth + 1))
    case 'map':
      return blocks((bytes, at, depth) => walkOf(shape.valuesType)(bytes, lengthPrefixed(bytes, at), depth + 1))
    default:
      throw new RangeError(`no bounds are known of ${shape.typeName}`)
  }
}

const skip =
  (size: number): Walk =>
  (bytes, at) => {
    if (at + size > bytes.length) throw new RangeError('cut off')
    return at + size
  }

const lengthPrefixed = (bytes: Buffer, at: number): number => {
  const { value, end } = readLong(bytes, at)
  if (value < 0 || value > bytes.length - end) throw new RangeError('a length goes over the end')
  return end + value
}

const blocks =
  (item: Walk): Walk =>
  (bytes, at, depth) => {
    let end = at
    for (;;) {
      const head = readLong(bytes, end)
      end = head.end
      if (head.value === 0) return end
      // A negative count is followed by the bytes of the block.
      if (head.value < 0) end = readLong(bytes, end).end
      const count = Math.abs(head.value)
      if (count > Math.max(bytes.length - end, emptyItemsMax)) throw new RangeError('more items than bytes')
      for (let index = 0; index < count; index++) end = item(bytes, end, depth)
    }
  }

function readIndex(bytes: Buffer, at: number, count: number): { value: number; end: number } {
  const read = readLong(bytes, at)
  if (read.value < 0 || read.value >= count) throw new RangeError('an index out of range')
  return read
}

/** Zigzag, variable length. Values above 2^53 lose their low bits: as lengths they are too large anyway. */
function readLong(bytes: Buffer, at: number): { value: number; end: number } {
  let value = 0
  let scale = 1
  for (let end = at; end < at + varintBytesMax; end++) {
    const byte = bytes[end]
    if (byte === undefined) throw new RangeError('cut off')
    value += (byte & 0x7f) * scale
    if (byte < 0x80) return { value: value % 2 === 1 ? -(value + 1) / 2 : value / 2, end: end + 1 }
    scale *= 128
  }
  throw new RangeError('a number of more than 64 bits')
}
