/** ClickHouse reads what we write: the events by the statements that we ship, the archive as it lies. It runs inside Python, as chdb. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { packSegment } from '#lib/segments/segment.ts'
import { rawRecord } from '#lib/testing/embedded.ts'
import { testMessages } from '#lib/testing/messages.ts'
import { pythonMissing, runPython } from '#lib/testing/python.ts'
import { startRegistry } from '#lib/testing/registry.ts'
import { temporaryFolder } from '#lib/testing/temporary.ts'
import { openCodec } from '#schemas/codec.ts'
import { event } from '#schemas/events.ts'
import type { Event } from '#schemas/types.ts'
import { classify } from '#services/classify/classify.ts'

const root = join(import.meta.dirname, '..')
/** Takes statements, one JSON string a line; gives what each answers, likewise. */
const program = `import sys, json
from chdb.session import Session
session = Session(sys.argv[1])
for line in open(sys.argv[2]):
    print(json.dumps(str(session.query(json.loads(line), "JSONEachRow"))))`

async function ask(folder: string, statements: readonly string[]): Promise<object[][]> {
  const path = join(folder, 'statements')
  writeFileSync(path, statements.map((statement) => JSON.stringify(statement)).join('\n'))
  const answers = await runPython(['--no-deps', 'chdb-core'], program, [join(folder, 'clickhouse'), path])
  return answers
    .trim()
    .split('\n')
    .map((line) =>
      (JSON.parse(line) as string)
        .split('\n')
        .filter((row) => row !== '')
        .map((row) => JSON.parse(row) as object),
    )
}

const examples = [
  ...readFileSync(join(root, 'docs/operate/analytics.md'), 'utf8').matchAll(/```sql\n([\s\S]*?)```/g),
].map(([, sql = '']) => sql)

describe('ClickHouse', { skip: pythonMissing(), timeout: 600_000 }, () => {
  it('takes the events by the statements of k8s/clickhouse, and answers the questions of the page', async () => {
    using folder = temporaryFolder()
    using registry = await startRegistry()
    const codec = await openCodec({ registryUrl: registry.url })
    const now = Date.now()
    const step = (n: number, type: string, more: Partial<Event> = {}): Event =>
      event({ messageId: `m${n}`, type, at: now + n, service: 'x', position: { partition: 0, offset: n }, ...more })
    const bounce = (domain: string) => ({
      kind: 'bounce',
      variant: 'hard',
      original: { campaign: 'spring' },
      recipients: [
        { address: `a@${domain}`, status: '5.1.1', reason: 'userunknown', permanent: true, reply: '550 no' },
      ],
    })
    const events = [
      step(0, 'accepted', { size: 4_000 }),
      step(0, 'forwarded', { state: 'forwarded', addedDelayMs: 40, legacyMs: 30 }),
      step(0, 'classified', bounce('B.example')),
      step(0, 'classified', bounce('B.example')),
      step(1, 'classified', bounce('b.example')),
      step(2, 'classified', { kind: 'complaint', original: { campaign: 'spring' } }),
      step(3, 'accepted'),
    ]
    const path = join(folder.path, 'events')
    writeFileSync(path, Buffer.concat(events.map((each) => codec.encode('event', each))))
    // In place of the topic the same bytes in a file: of the reading table only the source differs.
    const [topic = '', ...tables] = readFileSync(join(root, 'k8s/clickhouse/events.sql'), 'utf8')
      .split(/;\n/)
      .filter((statement) => /CREATE/.test(statement))
    const columns = /\(\n[\s\S]*\n\)(?=\nENGINE = Kafka)/.exec(topic)?.[0] ?? ''
    const [make = '', view = ''] = tables
    const select = view.slice(view.indexOf('\nSELECT'))
    const [, , , byDomain, byCampaign, delays, open] = await ask(folder.path, [
      `CREATE TABLE events_topic ${columns} ENGINE = File(AvroConfluent, '${path}') SETTINGS format_avro_schema_registry_url = '${registry.url}'`,
      make,
      `INSERT INTO events ${select}`,
      ...examples.slice(0, 4),
    ])
    assert.deepEqual(byDomain, [{ domain: 'b.example', reason: 'userunknown', messages: 2 }])
    assert.deepEqual(byCampaign, [{ campaign: 'spring', bounces: 2, complaints: 1, opt_outs: 0 }])
    assert.equal(delays?.length, 1)
    assert.deepEqual((delays[0] as { added_ms: number[] }).added_ms, [40, 40])
    assert.deepEqual(
      open?.map((row) => (row as { message_id: string }).message_id),
      ['m3'],
    )
  })

  it('reads the archive as it lies', async () => {
    using folder = temporaryFolder()
    const records = testMessages(60).map(({ content }, n) => {
      const { id, receivedAt, envelope, size, sha256 } = rawRecord({ id: `m${n}`, content })
      const verdict = classify(content)
      const stored = {
        position: { partition: 0, offset: n },
        source: n,
        mailbox: 'Bounces',
        bytes: content,
        claim: null,
      }
      return { id, receivedAt, envelope, size, sha256, verdict, ...stored }
    })
    const { bytes } = await packSegment('quarantine/bounces/2026-11-25/0-000000000000000.avro', records)
    const path = join(folder.path, 'segment.avro')
    writeFileSync(path, bytes)
    const [found] = await ask(folder.path, [
      (examples[4] ?? '').replace('FROM segments', `FROM file('${path}', 'Avro')`),
    ])
    const wanted = new Map<string, { messages: number; bytes: number }>()
    for (const { verdict, size } of records) {
      const { messages, bytes: sum } = wanted.get(verdict.kind) ?? { messages: 0, bytes: 0 }
      wanted.set(verdict.kind, { messages: messages + 1, bytes: sum + size })
    }
    assert.deepEqual(
      found,
      [...wanted]
        .map(([kind, sums]) => ({ kind, ...sums }))
        .sort((a, b) => b.messages - a.messages || (a.kind < b.kind ? -1 : 1)),
    )
  })
})
