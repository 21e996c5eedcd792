/** `mailweir doctor`: looks at everything outside that Mailweir needs, and says for each what to do. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { existsSync, readFileSync, statfsSync } from 'node:fs'
import { createServer } from 'node:net'
import { describeError } from '#lib/runtime/errors.ts'
import { listenOn } from '#lib/runtime/listen.ts'
import { type ListenAddress, readSettings, SettingsError } from '#lib/runtime/settings.ts'
import { SmtpConnection } from '#lib/smtp/client.ts'
import { clientOptionsOf, parseLegacyHost } from '#services/forward/hosts.ts'
import { lifecycleRules } from '#services/quarantine/archive/retention.ts'
import { closePorts, openPorts, type Ports } from '../ports.ts'
import { checkUp, sourceOf, type UpValues, upFallbacks, upSettings } from '../settings.ts'
import { standInHost } from '../stand-in.ts'
import { checkTopics } from './topics.ts'

type Finding = { readonly level: 'ok' | 'warn' | 'FAIL'; readonly what: string }

const ok = (what: string): Finding => ({ level: 'ok', what })
const warn = (what: string): Finding => ({ level: 'warn', what })
const bad = (what: string): Finding => ({ level: 'FAIL', what })

/** Resolves to 1 where anything would keep mail from flowing. */
export async function runDoctor(configFile: string | undefined): Promise<number> {
  let isBad = false
  for await (const { level, what } of examine(configFile)) {
    if (level === 'FAIL') isBad = true
    process.stdout.write(`${level.padEnd(5)}${what}\n`)
  }
  return isBad ? 1 : 0
}

async function* examine(configFile: string | undefined): AsyncGenerator<Finding> {
  let values: UpValues
  try {
    values = readSettings('mailweir doctor', upSettings, sourceOf(configFile), {
      fallbacks: { ...upFallbacks, LEGACY_SMTP: standInHost, LOG_LEVEL: 'silent' },
      check: checkUp,
    })
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error
    for (const problem of error.problems) yield bad(problem.line)
    return
  }
  yield ok('settings: all have values that are allowed')
  yield* examineDisk(values)
  yield* examineCertificate('SMTP_TLS', values.tlsCert, values.tlsKey)
  yield* examineCertificate('IMAP_TLS', values.imapTlsCert, values.imapTlsKey)
  yield* examinePort('SMTP_LISTEN', values.smtpListen)
  yield* examinePort('IMAP_LISTEN', values.imapListen)
  yield* examinePort('IMAPS_LISTEN', values.imapsListen)
  yield* examinePort('CONSOLE_LISTEN', values.consoleListen)
  if (values.healthListen !== null) yield* examinePort('HEALTH_LISTEN', values.healthListen)
  for (const host of values.legacySmtp) yield* examineLegacy(host, values)
  let ports: Ports
  try {
    ports = await openPorts(values, 'doctor')
  } catch (error) {
    yield bad(`log or store: ${describeError(error)}`)
    return
  }
  try {
    yield* examineLog(ports, values)
    yield* examineStore(ports, values)
  } finally {
    await closePorts(ports)
  }
}

function* examineDisk(values: UpValues): Generator<Finding> {
  if (!existsSync(values.dataDir)) return yield ok(`DATA_DIR ${values.dataDir}: will be made`)
  const { bavail, bsize } = statfsSync(values.dataDir)
  const free = bavail * bsize
  const text = `DATA_DIR ${values.dataDir}: ${(free / 2 ** 30).toFixed(1)} GiB free`
  yield free < 2 ** 30 ? warn(`${text}; make room, or mail is deferred when it is full`) : ok(text)
}

function* examineCertificate(name: string, certPath: string | null, keyPath: string | null): Generator<Finding> {
  if (certPath === null || keyPath === null) return
  try {
    const certificate = new X509Certificate(readFileSync(certPath))
    if (!certificate.checkPrivateKey(createPrivateKey(readFileSync(keyPath)))) {
      return yield bad(`${name}_KEY ${keyPath} is not the key of ${certPath}: give the two that belong together`)
    }
    const days = Math.floor((Date.parse(certificate.validTo) - Date.now()) / 86_400_000)
    const text = `${name}_CERT ${certPath}: valid until ${certificate.validTo}`
    yield days < 0
      ? bad(`${name}_CERT ${certPath}: expired on ${certificate.validTo}; renew it`)
      : days < 14
        ? warn(`${text}; renew it soon`)
        : ok(text)
  } catch (error) {
    yield bad(`${name}_CERT or ${name}_KEY cannot be read: ${describeError(error)}`)
  }
}

async function* examinePort(variable: string, address: ListenAddress): AsyncGenerator<Finding> {
  const server = createServer()
  const where = `${variable} ${address.host}:${address.port}`
  try {
    await listenOn(server, address, variable)
    yield ok(`${where}: free`)
  } catch (error) {
    yield warn(`${where}: ${describeError(error)} (unless it is Mailweir itself that runs there)`)
  } finally {
    server.close()
  }
}

async function* examineLegacy(url: string, values: UpValues): AsyncGenerator<Finding> {
  if (url === standInHost) {
    return yield ok('LEGACY_SMTP is not set: "mailweir up" starts a stand-in, "mailweir forward" needs a host')
  }
  try {
    const connection = await SmtpConnection.open(parseLegacyHost(url), {
      ...clientOptionsOf(values),
      replyMs: Math.min(values.forwardReplyMs, 30_000),
    })
    await connection.quit()
    yield ok(`LEGACY_SMTP ${url}: answers`)
  } catch (error) {
    yield bad(`LEGACY_SMTP ${url}: ${describeError(error)}; mail waits in the log until it answers`)
  }
}

async function* examineLog(ports: Ports, values: UpValues): AsyncGenerator<Finding> {
  const name = values.kafkaBrokers.length === 0 ? `${values.dataDir}/log.sqlite` : values.kafkaBrokers.join(',')
  try {
    const problems = await checkTopics(ports, values.partitions)
    if (problems.length === 0) yield ok(`log ${name}: answers, all topics are as they should be`)
    for (const problem of problems) yield / is missing| partitions, not /.test(problem) ? bad(problem) : warn(problem)
  } catch (error) {
    yield bad(`log ${name}: ${describeError(error)}; start it, or correct KAFKA_BROKERS and its TLS and SASL settings`)
  }
}

async function* examineStore(ports: Ports, values: UpValues): AsyncGenerator<Finding> {
  const name = values.s3Bucket === null ? `${values.dataDir}/objects` : `bucket ${values.s3Bucket}`
  try {
    await ports.objects.check()
    const rules = await ports.objects.lifecycle()
    const missing = lifecycleRules(values.retention).filter(
      (wanted) =>
        !rules.some((rule) => rule.id === wanted.id && rule.prefix === wanted.prefix && rule.days === wanted.days),
    )
    yield missing.length === 0
      ? ok(`store ${name}: answers, with the lifecycle rules of RETENTION`)
      : warn(
          `store ${name}: answers; ${missing.length} lifecycle rules are not there yet: "mailweir quarantine" sets them when it starts`,
        )
  } catch (error) {
    yield bad(
      `store ${name}: ${describeError(error)}; correct S3_ENDPOINT, S3_BUCKET and the credentials, or run "mailweir topics --bucket"`,
    )
  }
}
