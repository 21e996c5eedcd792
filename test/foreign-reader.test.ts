/** What the archive holds is read without our code: Python's fastavro opens a segment and finds every message, byte for byte. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { packSegment } from '#lib/segments/segment.ts'
import { rawRecord } from '#lib/testing/embedded.ts'
import { sha256, testMessages } from '#lib/testing/messages.ts'
import { pythonMissing, runPython } from '#lib/testing/python.ts'
import { temporaryFolder } from '#lib/testing/temporary.ts'
import { classify } from '#services/classify/classify.ts'

const program = `import sys, json, hashlib, fastavro
with open(sys.argv[1], "rb") as f:
    reader = fastavro.reader(f)
    for r in reader:
        print(json.dumps([r["id"], hashlib.sha256(r["bytes"]).hexdigest(), r["verdict"]["kind"], r["envelope"]["reversePath"]]))`

describe('a segment', () => {
  it("is read by Python's fastavro", { skip: pythonMissing() }, async () => {
    using folder = temporaryFolder()
    const messages = testMessages(120)
    const records = messages.map(({ content, reversePath }, n) => {
      const {
        id,
        receivedAt,
        envelope,
        size,
        sha256: hash,
      } = rawRecord({
        id: `m${n}`,
        content,
        reversePath: reversePath.address,
      })
      const position = { partition: 0, offset: n }
      return {
        id,
        position,
        receivedAt,
        envelope,
        size,
        sha256: hash,
        verdict: classify(content),
        bytes: content,
        claim: null,
        source: n,
        mailbox: 'Bounces',
      }
    })
    const { bytes } = await packSegment('default/2026/11/25/0/0-119.avro', records)
    const path = join(folder.path, 'segment.avro')
    writeFileSync(path, bytes)
    const lines = (await runPython(['fastavro', 'backports.zstd'], program, [path])).trim().split('\n')
    assert.deepEqual(
      lines.map((line) => JSON.parse(line) as unknown),
      messages.map(({ content, reversePath }, n) => [
        `m${n}`,
        sha256(content),
        records[n]?.verdict.kind,
        reversePath.address,
      ]),
    )
  })
})
