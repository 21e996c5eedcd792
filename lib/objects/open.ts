/** Settings → adapter. The only file that names the adapters; each is loaded when it is asked for. */
import { join } from 'node:path'
import type { Logger } from '#lib/runtime/logger.ts'
import type { Values } from '#lib/runtime/settings.ts'
import type { objectsSettings } from './config.ts'
import type { Objects } from './objects.ts'

export async function openObjects(
  values: Values<typeof objectsSettings> & { readonly dataDir: string },
  logger: Logger,
): Promise<Objects> {
  if (values.s3Bucket === null) {
    const { openFiles } = await import('./files.ts')
    const objects = openFiles({ folder: join(values.dataDir, 'objects'), logger })
    await objects.prepare()
    return objects
  }
  const { openS3 } = await import('./s3.ts')
  return openS3({
    endpoint: values.s3Endpoint,
    bucket: values.s3Bucket,
    region: values.awsRegion,
    credentials:
      values.awsAccessKeyId === null || values.awsSecretAccessKey === null
        ? null
        : { accessKeyId: values.awsAccessKeyId, secretAccessKey: values.awsSecretAccessKey },
    encryption: values.s3Encryption === 'none' ? null : { algorithm: values.s3Encryption, kmsKey: values.s3KmsKey },
    requestTimeoutMs: values.s3RequestMs,
  })
}
