import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { existsSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import {
  GetBucketLifecycleConfigurationCommand,
  PutBucketLifecycleConfigurationCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { silentLogger } from '#lib/runtime/logger.ts'
import { startMinio } from '#lib/testing/minio.ts'
import { objectServerMissing, ownObjectServer, testObjectServer } from '#lib/testing/services.ts'
import { temporaryFolder } from '#lib/testing/temporary.ts'
import { objectsContract } from './contract.ts'
import { openFiles } from './files.ts'
import { openS3, type S3Options } from './s3.ts'

const folder = temporaryFolder()
after(() => folder[Symbol.dispose]())

const bucket = `contract-${randomUUID()}`
const s3Options: S3Options = {
  endpoint: testObjectServer?.endpoint ?? '',
  bucket,
  region: 'us-east-1',
  credentials: {
    accessKeyId: testObjectServer?.accessKeyId ?? '',
    secretAccessKey: testObjectServer?.secretAccessKey ?? '',
  },
  requestTimeoutMs: 5_000,
}

objectsContract('files', { open: () => openFiles({ folder: folder.path, logger: silentLogger }) })
objectsContract('s3', {
  open: () => openS3(s3Options),
  skip: testObjectServer === undefined && objectServerMissing,
})

describe('s3', { skip: testObjectServer === undefined && objectServerMissing }, () => {
  it('names wrong credentials and a missing bucket', async () => {
    const wrong = openS3({ ...s3Options, credentials: { accessKeyId: 'nobody', secretAccessKey: 'nothing' } })
    await assert.rejects(wrong.check(), { code: 'OBJECTS_DENIED', retriable: false })
    await assert.rejects(wrong.put('a', Buffer.from('x')), { code: 'OBJECTS_DENIED' })
    const missing = openS3({ ...s3Options, bucket: `none-${randomUUID()}` })
    await assert.rejects(missing.check(), { code: 'OBJECTS_BUCKET_MISSING', retriable: false })
    await assert.rejects(missing.put('a', Buffer.from('x')), { code: 'OBJECTS_BUCKET_MISSING' })
  })

  it('keeps lifecycle rules that are not ours', async () => {
    const client = new S3Client({
      endpoint: s3Options.endpoint ?? '',
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: s3Options.credentials ?? undefined,
    })
    const Bucket = `rules-${randomUUID()}`
    const own = openS3({ ...s3Options, bucket: Bucket })
    await own.prepare()
    const foreign = { ID: 'theirs', Status: 'Enabled' as const, Filter: { Prefix: 'their/' }, Expiration: { Days: 3 } }
    await client.send(
      new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration: { Rules: [foreign] } }),
    )
    await own.setLifecycle([{ id: 'mailweir-a', prefix: 'a/', days: 5 }])
    const { Rules } = await client.send(new GetBucketLifecycleConfigurationCommand({ Bucket }))
    assert.deepEqual(Rules?.map((rule) => rule.ID).sort(), ['mailweir-a', 'theirs'])
    client.destroy()
  })
})

describe('s3: the server gone and back', { skip: !ownObjectServer && objectServerMissing }, () => {
  it('says that it is unavailable within a bounded time, and recovers', async () => {
    const server = await startMinio()
    const objects = openS3({ ...s3Options, endpoint: server.endpoint, credentials: server, requestTimeoutMs: 2_000 })
    try {
      await objects.prepare()
      await objects.put('before', Buffer.from('x'))
      await server.kill()
      await assert.rejects(objects.put('during', Buffer.from('x')), { code: 'OBJECTS_UNAVAILABLE', retriable: true })
      await assert.rejects(objects.get('before'), { code: 'OBJECTS_UNAVAILABLE' })
      await server.start()
      assert.equal((await objects.get('before'))?.toString(), 'x')
      assert.equal(await objects.put('after', Buffer.from('x')), 'stored')
    } finally {
      await objects.close()
      await server.stop()
    }
  })
})

describe('files', () => {
  it('drops what its lifecycle rules say, with the folders that it leaves empty', async () => {
    using own = temporaryFolder()
    const objects = openFiles({ folder: own.path, logger: silentLogger })
    await objects.prepare()
    await objects.setLifecycle([{ id: 'mailweir-short', prefix: 'short/', days: 2 }])
    for (const key of ['short/2026-11-20/a', 'short/2026-11-24/b', 'long/c']) await objects.put(key, Buffer.from('x'))
    const old = (Date.now() - 3 * 86_400_000) / 1000
    for (const key of ['short/2026-11-20/a', 'long/c']) utimesSync(join(own.path, key), old, old)
    assert.equal(await objects.sweep(), 1)
    assert.equal(existsSync(join(own.path, 'short/2026-11-20')), false)
    assert.equal((await objects.get('short/2026-11-24/b'))?.toString(), 'x')
    assert.equal((await objects.get('long/c'))?.toString(), 'x')
    await objects.close()
  })

  it('says that its folder is missing', async () => {
    using own = temporaryFolder()
    const objects = openFiles({ folder: join(own.path, 'none'), logger: silentLogger })
    await assert.rejects(objects.check(), { code: 'OBJECTS_BUCKET_MISSING' })
    await assert.rejects(objects.put('a', Buffer.from('x')), { code: 'OBJECTS_BUCKET_MISSING' })
    await objects.close()
  })
})
