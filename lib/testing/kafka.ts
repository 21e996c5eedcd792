/**
 * A real Kafka broker for tests: jars from Maven, kept outside the tree, run by the machine's Java in KRaft mode.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import kafkajs from 'kafkajs'
import { freePort } from './ports.ts'

const exec = promisify(execFile)
export const kafkaVersion = '4.1.0'
const startMs = 60_000

export const cacheFolder = process.env['MAILWEIR_TEST_CACHE'] ?? join(homedir(), '.cache', 'mailweir-test')

/** Folder of the jars; gets them with Maven's dependency plugin if they are not there. */
export async function kafkaJars(): Promise<string> {
  const folder = join(cacheFolder, `kafka-${kafkaVersion}`)
  if (existsSync(join(folder, 'complete'))) return folder
  await exec('java', ['-version']).catch(() => {
    throw new Error('needs Java 17 or later: install openjdk-17-jre-headless')
  })
  mkdirSync(cacheFolder, { recursive: true })
  const work = mkdtempSync(join(cacheFolder, 'get-'))
  writeFileSync(
    join(work, 'pom.xml'),
    `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>mailweir</groupId><artifactId>kafka-for-tests</artifactId><version>1</version>
<dependencies><dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${kafkaVersion}</version></dependency></dependencies>
</project>\n`,
  )
  try {
    await exec('mvn', ['-q', '-B', 'dependency:copy-dependencies', '-DoutputDirectory=libs'], {
      cwd: work,
      timeout: 300_000,
    })
  } catch (error) {
    rmSync(work, { recursive: true, force: true })
    throw new Error('cannot get the jars of Kafka: install maven, or set KAFKA_BROKERS', { cause: error })
  }
  writeFileSync(join(work, 'complete'), '')
  try {
    renameSync(work, folder)
  } catch {
    rmSync(work, { recursive: true, force: true }) // Another run was quicker.
  }
  return folder
}

export type Broker = {
  readonly brokers: string
  /** SIGKILL, as a crash would. */
  kill(): Promise<void>
  /** Starts it again on the same port with the same data. */
  start(): Promise<void>
  stop(): Promise<void>
}

/** Starts a broker on free ports and waits until it answers. */
export async function startBroker(settings: Readonly<Record<string, string>> = {}): Promise<Broker> {
  const libs = join(await kafkaJars(), 'libs', '*')
  const folder = mkdtempSync(join(tmpdir(), 'mailweir-kafka-'))
  const [port, controller] = [await freePort(), await freePort()]
  const properties = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controller}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controller}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'log.dirs': join(folder, 'data'),
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'group.initial.rebalance.delay.ms': '0',
    'auto.create.topics.enable': 'false',
    'num.network.threads': '2',
    'num.io.threads': '4',
    'log.retention.check.interval.ms': '1000',
    ...settings,
  }
  const file = join(folder, 'server.properties')
  writeFileSync(
    file,
    Object.entries(properties)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(''),
  )
  const log4j = join(folder, 'log4j2.yaml')
  writeFileSync(log4j, 'Configuration:\n  Loggers:\n    Root:\n      level: "OFF"\n')
  const java = (...args: string[]) => [
    '-Xmx512m',
    '-XX:+UseSerialGC',
    `-Dlog4j2.configurationFile=${log4j}`,
    '-cp',
    libs,
    ...args,
  ]
  await exec('java', java('kafka.tools.StorageTool', 'format', '-t', clusterId(), '-c', file))
  let child: ChildProcess | null = null

  const start = async (): Promise<void> => {
    child = spawn('java', java('kafka.Kafka', file), { stdio: 'ignore' })
    const started = child
    const client = new kafkajs.Kafka({
      brokers: [`127.0.0.1:${port}`],
      logLevel: kafkajs.logLevel.NOTHING,
      retry: { retries: 0 },
    })
    const until = Date.now() + startMs
    for (;;) {
      const admin = client.admin()
      try {
        await admin.connect()
        await admin.listTopics()
        return
      } catch (error) {
        if (started.exitCode !== null) throw new Error('the Kafka broker ended at once', { cause: error })
        if (Date.now() > until) throw new Error('the Kafka broker did not come up', { cause: error })
        await sleep(100)
      } finally {
        await admin.disconnect().catch(() => {})
      }
    }
  }
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child?.once('exit', resolve))
    child.kill(signal)
    await ended
  }
  process.once('exit', () => child?.kill('SIGKILL'))
  await start()
  return {
    brokers: `127.0.0.1:${port}`,
    kill: () => end('SIGKILL'),
    start,
    stop: async () => {
      await end('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** A UUID in base64url; a hyphen in front would be taken for an option. */
const clusterId = (): string =>
  Buffer.from(randomUUID().replaceAll('-', ''), 'hex').toString('base64url').replace(/^-/, 'A')
