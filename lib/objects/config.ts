/** Settings of the object store. */
import * as setting from '#lib/runtime/settings.ts'

export const objectsSettings = {
  s3Endpoint: setting.optionalText('S3_ENDPOINT', {
    meaning:
      'URL of the object store; absent, with S3_BUCKET also absent: files below DATA_DIR; absent with a bucket: AWS',
  }),
  s3Bucket: setting.optionalText('S3_BUCKET', { meaning: 'bucket for segments and claims' }),
  awsRegion: setting.text('AWS_REGION', 'us-east-1', { meaning: 'region of the bucket' }),
  awsAccessKeyId: setting.optionalText('AWS_ACCESS_KEY_ID', {
    meaning: "access key; absent: the AWS SDK's own chain",
    secret: true,
  }),
  awsSecretAccessKey: setting.optionalText('AWS_SECRET_ACCESS_KEY', {
    meaning: 'secret of the access key',
    secret: true,
  }),
  s3Encryption: setting.choice('S3_ENCRYPTION', ['none', 'AES256', 'aws:kms'], 'none', {
    meaning:
      'encryption that the store is asked for with each object: SSE-S3 (AES256) or SSE-KMS; none: what the bucket does by itself',
  }),
  s3KmsKey: setting.optionalText('S3_KMS_KEY', { meaning: "id of the key for aws:kms; absent: the account's own" }),
  s3RequestMs: setting.integer('S3_REQUEST_MS', 15_000, {
    unit: 'milliseconds',
    min: 100,
    max: 600_000,
    meaning: 'a request to the object store that got no answer for so long has failed',
  }),
} as const
