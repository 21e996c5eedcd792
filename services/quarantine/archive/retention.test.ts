/**
 * What the rules that quarantine puts on a bucket do there as time goes by: in MinIO itself, whose clock cannot be moved, but to which
 * whoever copies from another site says when an object was made.
 */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { listAll } from '#lib/objects/objects.ts'
import { openS3 } from '#lib/objects/s3.ts'
import { objectServerMissing, ownObjectServer, testObjectServer } from '#lib/testing/services.ts'
import { until } from '#lib/testing/wait.ts'
import { defaultRetention, expiresAt, lifecycleRules } from './retention.ts'

const dayMs = 86_400_000
const server = ownObjectServer ? testObjectServer : undefined

describe('retention on a bucket', { skip: server === undefined && objectServerMissing }, () => {
  it('the store itself drops each class when its days are over, not before, and nothing else', async () => {
    assert.ok(server)
    const bucket = `retention-${randomUUID()}`
    const region = 'us-east-1'
    const objects = openS3({ ...server, credentials: server, bucket, region, requestTimeoutMs: 10_000 })
    await objects.prepare()
    const rules = lifecycleRules(defaultRetention)
    await objects.setLifecycle(rules)
    const client = new S3Client({ endpoint: server.endpoint, forcePathStyle: true, region, credentials: server })
    client.middlewareStack.add(
      (next) => (args) => {
        const { Metadata } = args.input as { Metadata?: { made?: string } }
        const { headers } = args.request as { headers: Record<string, string> }
        headers['x-minio-source-replication-request'] = 'true'
        headers['x-minio-source-mtime'] = Metadata?.made ?? ''
        return next(args)
      },
      { step: 'build' },
    )
    const put = async (key: string, daysAgo: number): Promise<string> => {
      const made = new Date(Date.now() - daysAgo * dayMs).toISOString()
      await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: key, Metadata: { made } }))
      return key
    }
    const over: string[] = []
    const kept: string[] = []
    for (const { prefix, days } of rules) {
      // A store may wait for the next midnight.
      over.push(await put(`${prefix}2020-01-01/0-1.avro`, days + 1.1))
      kept.push(await put(`${prefix}2020-01-01/0-2.avro`, days - 0.1))
      // What a mail program no longer shows at that age the store still has.
      assert.ok(expiresAt(Date.now() - (days - 0.1) * dayMs, days) > Date.now())
    }
    for (const key of ['hold/a.avro', 'samples/a.eml']) kept.push(await put(key, 4_000))

    for (const key of over) assert.equal(await objects.get(key), null, key)
    for (const key of kept) assert.equal((await objects.get(key))?.toString(), key)
    await until('the store to have dropped them', async () => {
      const there: string[] = []
      for await (const { key } of listAll(objects, '')) there.push(key)
      return !over.some((key) => there.includes(key)) && kept.every((key) => there.includes(key))
    })
    client.destroy()
    await objects.close()
  })
})
