/**
 * What the tests have at hand. `run.ts` starts a broker and an object server once and tells the test files by these
 * variables; a test file that is run alone uses `KAFKA_BROKERS` and `S3_ENDPOINT`, or skips and says what is missing.
 */
export type ObjectServerAccess = {
  readonly endpoint: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

export const testBrokers: string | undefined = process.env['MAILWEIR_TEST_KAFKA'] || process.env['KAFKA_BROKERS']
/** Whether tests may start, kill and restart a broker of their own. */
export const ownBroker: boolean = process.env['MAILWEIR_TEST_OWN_KAFKA'] === '1'
export const ownObjectServer: boolean = process.env['MAILWEIR_TEST_OWN_S3'] === '1'

const endpoint = process.env['MAILWEIR_TEST_S3'] || process.env['S3_ENDPOINT']
export const testObjectServer: ObjectServerAccess | undefined =
  endpoint === undefined
    ? undefined
    : {
        endpoint,
        accessKeyId: process.env['MAILWEIR_TEST_S3_KEY'] ?? process.env['AWS_ACCESS_KEY_ID'] ?? '',
        secretAccessKey: process.env['MAILWEIR_TEST_S3_SECRET'] ?? process.env['AWS_SECRET_ACCESS_KEY'] ?? '',
      }

export const kafkaMissing =
  'no Kafka: install a Java 17 runtime and maven, or set KAFKA_BROKERS (and run by "npm test")'
export const objectServerMissing = 'no S3 server: install Go 1.24 or later, or set S3_ENDPOINT (and run by "npm test")'
