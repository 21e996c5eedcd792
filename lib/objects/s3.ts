/**
 * Objects in a bucket, through @aws-sdk/client-s3: AWS, MinIO, Ceph, Garage and others that do conditional puts
 * (`If-None-Match: *`) and lifecycle rules. Streams go up in parts of `partBytes`, one after the other.
 */
import { Readable } from 'node:stream'
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetBucketLifecycleConfigurationCommand,
  GetObjectCommand,
  HeadBucketCommand,
  ListObjectsV2Command,
  PutBucketLifecycleConfigurationCommand,
  PutObjectCommand,
  S3Client,
  type LifecycleRule as S3LifecycleRule,
  S3ServiceException,
} from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { MailweirError } from '#lib/runtime/errors.ts'
import {
  type ByteRange,
  checkKey,
  type LifecycleRule,
  lifecyclePrefix,
  type ObjectInfo,
  type Objects,
} from './objects.ts'

export type S3Options = {
  /** Absent: AWS itself. */
  readonly endpoint: string | null
  readonly bucket: string
  readonly region: string
  /** Absent: the SDK's own chain (environment, web identity, instance). */
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string } | null
  readonly requestTimeoutMs: number
  /** What the store is asked to encrypt with; absent or null: what the bucket does by itself. */
  readonly encryption?: { readonly algorithm: 'AES256' | 'aws:kms'; readonly kmsKey: string | null } | null
}

/** The least that S3 takes as a part. */
const partBytes = 5 * 1024 * 1024

export function openS3(options: S3Options): Objects {
  return new S3Objects(options)
}

class S3Objects implements Objects {
  readonly adapter = 's3'
  readonly #client: S3Client
  readonly #bucket: string
  readonly #encryption: { ServerSideEncryption?: 'AES256' | 'aws:kms'; SSEKMSKeyId?: string }

  constructor(options: S3Options) {
    this.#bucket = options.bucket
    const { algorithm, kmsKey } = options.encryption ?? {}
    this.#encryption = {
      ...(algorithm !== undefined && { ServerSideEncryption: algorithm }),
      ...(algorithm === 'aws:kms' && typeof kmsKey === 'string' && { SSEKMSKeyId: kmsKey }),
    }
    this.#client = new S3Client({
      region: options.region,
      ...(options.endpoint === null ? {} : { endpoint: options.endpoint, forcePathStyle: true }),
      ...(options.credentials === null ? {} : { credentials: options.credentials }),
      maxAttempts: 3,
      requestHandler: { requestTimeout: options.requestTimeoutMs, connectionTimeout: 3_000 },
      // Trailing checksums are not understood by every server; the transport's own and SHA-256 in our index suffice.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
    })
  }

  async #ask<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw this.#error(what, error)
    }
  }

  #error(what: string, error: unknown): unknown {
    if (error instanceof MailweirError) return error
    const status = error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined
    const name = error instanceof Error ? error.name : ''
    if (name === 'NoSuchBucket') {
      return new MailweirError('OBJECTS_BUCKET_MISSING', `Cannot ${what}: there is no bucket ${this.#bucket}`, {
        cause: error,
      })
    }
    if (status === 401 || status === 403 || name === 'CredentialsProviderError') {
      return new MailweirError('OBJECTS_DENIED', `Cannot ${what}: the object store refused our credentials (${name})`, {
        cause: error,
      })
    }
    return new MailweirError(
      'OBJECTS_UNAVAILABLE',
      `Cannot ${what}: ${name || 'no answer'}${status === undefined ? '' : ` (${status})`}`,
      { cause: error, retriable: true },
    )
  }

  async prepare(): Promise<void> {
    try {
      await this.check()
    } catch (error) {
      if (!(error instanceof MailweirError) || error.code !== 'OBJECTS_BUCKET_MISSING') throw error
      await this.#ask('make the bucket', () => this.#client.send(new CreateBucketCommand({ Bucket: this.#bucket })))
    }
  }

  async check(): Promise<void> {
    await this.#ask('see the bucket', async () => {
      try {
        await this.#client.send(new HeadBucketCommand({ Bucket: this.#bucket }))
      } catch (error) {
        if (statusOf(error) === 404) {
          throw new MailweirError('OBJECTS_BUCKET_MISSING', `There is no bucket ${this.#bucket}`, { cause: error })
        }
        throw error
      }
    })
  }

  async put(key: string, bytes: Buffer): Promise<'stored' | 'exists'> {
    checkKey(key)
    return this.#ask(`put ${key}`, async () => {
      try {
        await this.#client.send(
          new PutObjectCommand({
            Bucket: this.#bucket,
            Key: key,
            Body: bytes,
            ContentLength: bytes.length,
            IfNoneMatch: '*',
            ...this.#encryption,
          }),
        )
        return 'stored'
      } catch (error) {
        if (statusOf(error) === 412) return 'exists'
        throw error
      }
    })
  }

  async putStream(key: string, stream: Readable): Promise<number> {
    checkKey(key)
    return this.#ask(`put ${key}`, async () => {
      let bytes = 0
      const counted = Readable.from(
        (async function* () {
          for await (const chunk of stream) {
            bytes += chunk.length
            yield chunk
          }
        })(),
        { objectMode: false },
      )
      const upload = new Upload({
        client: this.#client,
        params: { Bucket: this.#bucket, Key: key, Body: counted, ...this.#encryption },
        partSize: partBytes,
        queueSize: 1,
        leavePartsOnError: false,
      })
      await upload.done()
      return bytes
    })
  }

  async get(key: string, range?: ByteRange): Promise<Buffer | null> {
    checkKey(key)
    if (range !== undefined && range.length === 0) return Buffer.alloc(0)
    return this.#ask(`get ${key}`, async () => {
      try {
        const { Body } = await this.#client.send(
          new GetObjectCommand({
            Bucket: this.#bucket,
            Key: key,
            Range: range === undefined ? undefined : `bytes=${range.offset}-${range.offset + range.length - 1}`,
          }),
        )
        return Body === undefined ? Buffer.alloc(0) : Buffer.from(await Body.transformToByteArray())
      } catch (error) {
        if (isMissingKey(error)) return null
        if (statusOf(error) === 416) return Buffer.alloc(0)
        throw error
      }
    })
  }

  async getStream(key: string): Promise<Readable | null> {
    checkKey(key)
    return this.#ask(`get ${key}`, async () => {
      try {
        const { Body } = await this.#client.send(new GetObjectCommand({ Bucket: this.#bucket, Key: key }))
        return Body instanceof Readable ? Body : Readable.from([])
      } catch (error) {
        if (isMissingKey(error)) return null
        throw error
      }
    })
  }

  async list(prefix: string, options: { after?: string; limit: number }): Promise<readonly ObjectInfo[]> {
    return this.#ask(`list ${prefix}`, async () => {
      const found: ObjectInfo[] = []
      let token: string | undefined
      do {
        const page = await this.#client.send(
          new ListObjectsV2Command({
            Bucket: this.#bucket,
            Prefix: prefix,
            StartAfter: options.after,
            ContinuationToken: token,
            MaxKeys: Math.min(1_000, options.limit - found.length),
          }),
        )
        for (const { Key, Size, LastModified } of page.Contents ?? []) {
          if (Key !== undefined) found.push({ key: Key, size: Size ?? 0, modifiedAt: LastModified?.getTime() ?? 0 })
        }
        token = page.NextContinuationToken
      } while (token !== undefined && found.length < options.limit)
      return found
    })
  }

  async remove(key: string): Promise<void> {
    checkKey(key)
    await this.#ask(`remove ${key}`, () =>
      this.#client.send(new DeleteObjectCommand({ Bucket: this.#bucket, Key: key })),
    )
  }

  async #rules(): Promise<S3LifecycleRule[]> {
    try {
      const { Rules } = await this.#client.send(new GetBucketLifecycleConfigurationCommand({ Bucket: this.#bucket }))
      return Rules ?? []
    } catch (error) {
      if (error instanceof Error && error.name === 'NoSuchLifecycleConfiguration') return []
      throw error
    }
  }

  async setLifecycle(rules: readonly LifecycleRule[]): Promise<void> {
    await this.#ask('set the lifecycle rules', async () => {
      const foreign = (await this.#rules()).filter((rule) => !rule.ID?.startsWith(lifecyclePrefix))
      await this.#client.send(
        new PutBucketLifecycleConfigurationCommand({
          Bucket: this.#bucket,
          LifecycleConfiguration: {
            Rules: [
              ...foreign,
              ...rules.map(
                (rule): S3LifecycleRule => ({
                  ID: rule.id,
                  Status: 'Enabled',
                  Filter: { Prefix: rule.prefix },
                  Expiration: { Days: rule.days },
                }),
              ),
            ],
          },
        }),
      )
    })
  }

  async lifecycle(): Promise<readonly LifecycleRule[]> {
    return this.#ask('read the lifecycle rules', async () =>
      (await this.#rules())
        .filter((rule) => rule.ID?.startsWith(lifecyclePrefix))
        .map((rule) => ({
          id: rule.ID ?? '',
          prefix: rule.Filter?.Prefix ?? '',
          days: rule.Expiration?.Days ?? 0,
        })),
    )
  }

  async close(): Promise<void> {
    this.#client.destroy()
  }
}

const statusOf = (error: unknown): number | undefined =>
  error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined

const isMissingKey = (error: unknown): boolean => error instanceof Error && error.name === 'NoSuchKey'
