/**
 * `npm test`: gets and starts what the tests need on free ports, runs every `*.test.ts`, stops it all.
 * `--quick`: the embedded part alone. Other arguments are files or patterns. In CI a skipped test fails the run.
 */

import { globSync } from 'node:fs'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { startBroker } from './kafka.ts'
import { corpusMissing } from './messages.ts'
import { startMinio } from './minio.ts'

const quick = process.argv.includes('--quick')
const patterns = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
const inCi = process.env['CI'] === 'true'
const stops: (() => Promise<void>)[] = []
const testTimeoutMs = 600_000

async function provide(what: string, start: () => Promise<void>): Promise<void> {
  const before = Date.now()
  try {
    await start()
    console.log(`${what}: ready after ${((Date.now() - before) / 1000).toFixed(1)} s`)
  } catch (error) {
    console.log(`${what}: ${error instanceof Error ? error.message : error}; its tests are skipped`)
  }
}

if (!quick) {
  await provide('Kafka', async () => {
    const given = process.env['KAFKA_BROKERS']
    if (given) process.env['MAILWEIR_TEST_KAFKA'] = given
    else {
      const broker = await startBroker()
      stops.push(broker.stop)
      process.env['MAILWEIR_TEST_KAFKA'] = broker.brokers
      process.env['MAILWEIR_TEST_OWN_KAFKA'] = '1'
    }
  })
  await provide('S3', async () => {
    if (process.env['S3_ENDPOINT']) process.env['MAILWEIR_TEST_S3'] = process.env['S3_ENDPOINT']
    else {
      const server = await startMinio()
      stops.push(server.stop)
      process.env['MAILWEIR_TEST_S3'] = server.endpoint
      process.env['MAILWEIR_TEST_S3_KEY'] = server.accessKeyId
      process.env['MAILWEIR_TEST_S3_SECRET'] = server.secretAccessKey
      process.env['MAILWEIR_TEST_OWN_S3'] = '1'
    }
  })
} else {
  for (const name of ['KAFKA_BROKERS', 'S3_ENDPOINT', 'MAILWEIR_TEST_KAFKA', 'MAILWEIR_TEST_S3'])
    delete process.env[name]
}

const files = globSync(patterns.length > 0 ? patterns : ['{lib,schemas,services,cli,test,bench}/**/*.test.ts'], {
  exclude: (path) => String(path).includes('node_modules'),
}).sort()
const skipped: string[] = []
const absent: string[] = []
let failed = 0
const stream = run({ files, concurrency: 2, timeout: testTimeoutMs })
stream.on('test:pass', (event) => {
  if (event.skip !== undefined && event.skip !== false) {
    // What needs files that are no part of the product may be skipped anywhere.
    const list = typeof event.skip === 'string' && event.skip.startsWith(corpusMissing) ? absent : skipped
    list.push(`${event.name}${typeof event.skip === 'string' ? `: ${event.skip}` : ''}`)
  }
})
stream.on('test:fail', () => failed++)
stream.compose(new spec()).pipe(process.stdout)
await new Promise((resolve) => stream.once('end', resolve))
for (const stop of stops) await stop()
if (absent.length > 0) console.log(`\nSkipped, since the shared corpus is absent: ${absent.length}`)
if (skipped.length > 0) {
  console.log(`\nSkipped (${skipped.length}):`)
  for (const line of [...new Set(skipped)]) console.log(`  ${line}`)
  if (inCi && !quick) {
    console.log('In CI nothing may be skipped.')
    failed++
  }
}
process.exitCode = failed > 0 ? 1 : 0
