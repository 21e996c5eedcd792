/** The command line: reads its arguments and starts what was asked. Each command is loaded when it is used. */
import { readFileSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'
import { Command, Option } from 'commander'
import { describeError } from '#lib/runtime/errors.ts'
import { exitCodeOf } from '#lib/runtime/run.ts'

// What Node has stripped of types once it need not strip again: a quicker start, and 20 MB less. Where it cannot be kept, it is not.
enableCompileCache(join(import.meta.dirname, 'node_modules', '.cache', 'compile'))

const { version } = JSON.parse(readFileSync(join(import.meta.dirname, 'package.json'), 'utf8')) as { version: string }

const program = new Command('mailweir')
  .description('The front line between a bulk sender and what bounces back.')
  .version(version)
  .option('--config <file>', 'settings as lines of NAME=value; the environment wins')
  .showHelpAfterError()

const configFile = (): string | undefined => program.opts<{ config?: string }>().config
const whole = (text: string): number => {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`expected a whole number, got ${JSON.stringify(text)}`)
  return Number(text)
}

program
  .command('up')
  .description('every service in one process, on the embedded log and the files store where nothing else is set')
  .action(async () => end((await import('#cli/commands/up.ts')).runUp(configFile())))

program
  .command('ingest')
  .description('accepts mail over SMTP into mail.raw')
  .option('--workers <n>', 'processes that share the listeners: one for each core', whole, 1)
  .action(async ({ workers }: { workers: number }) =>
    end(
      workers > 1
        ? (await import('#cli/commands/workers.ts')).runWorkers(workers, configFile())
        : (await import('#cli/commands/service.ts')).runService('ingest', configFile()),
    ),
  )

for (const [name, description] of [
  ['forward', 'sends every original to the legacy system'],
  ['console', 'serves the page and the API'],
] as const) {
  program
    .command(name)
    .description(description)
    .action(async () => end((await import('#cli/commands/service.ts')).runService(name, configFile())))
}

const quarantine = program
  .command('quarantine')
  .description('packs classified copies into segments and indexes them')
  .action(async () => end((await import('#cli/commands/service.ts')).runService('quarantine', configFile())))

quarantine
  .command('verify')
  .description('reads stored messages again and compares them with what the index says of them')
  .option('--sample <percent>', 'of the messages that are read', whole, 100)
  .action(async (options) => end((await import('#cli/commands/verify.ts')).runVerify(configFile(), options)))

const imap = program
  .command('imap')
  .description('serves the quarantine to mail programs')
  .action(async () => end((await import('#cli/commands/service.ts')).runService('imap', configFile())))

imap
  .command('user')
  .description('accounts of the file of IMAP_ACCOUNTS')
  .command('add')
  .description('a line for that file; the password is read from the standard input')
  .argument('<name>')
  .option('--read-only', 'may change nothing')
  .option('--tops <names>', 'may see only these top levels, such as Bounces,Complaints')
  .option('--file <file>', 'appends the line to this file; absent: prints it')
  .action(async (name: string, options) =>
    end((await import('#cli/commands/imap-user.ts')).runImapUserAdd(name, options)),
  )

program
  .command('audit')
  .description("the legacy system's own suppression list (CSV), or its log, against what the mail says")
  .argument('<file>', '- is the standard input')
  .addOption(new Option('--json', 'a line of JSON for each finding, then the sums').conflicts('csv'))
  .option('--csv', 'the findings as CSV')
  .option('--log', 'the file is a log: AUDIT_LOG_PATTERN says which lines count')
  .action(async (file: string, options) =>
    end((await import('#cli/commands/audit.ts')).runAudit(configFile(), file, options)),
  )

program
  .command('erase')
  .description("removes every stored copy of one person's mail, and leaves a signed record")
  .requiredOption('--address <address>', 'wherever it stands: envelope, verdict, header, text')
  .option('--pseudonymise', 'also its state in mail.suppressions: still not written to, and nobody reads who it is')
  .option('--dry-run', 'only say what would go')
  .action(async (options) => end((await import('#cli/commands/erase.ts')).runErase(configFile(), options)))

program
  .command('classify')
  .description('with FILE: says what the messages are; without: the service that classifies mail.raw')
  .argument('[FILE...]', 'messages, mboxes, Maildirs or folders of messages; - is the standard input')
  .addOption(new Option('--json', 'a line of JSON for each message').conflicts('table'))
  .option('--table', 'a row for each recipient, cells between tabs')
  .option('--explain', 'the bytes that decided, and each rule that was tried')
  .action(async (files: string[], options: { json?: boolean; table?: boolean; explain?: boolean }) =>
    end(
      files.length === 0 && !options.json && !options.table && !options.explain
        ? (await import('#cli/commands/service.ts')).runService('classify', configFile())
        : (await import('#cli/commands/classify.ts')).runClassify(configFile(), files, options),
    ),
  )

program
  .command('stand-in')
  .description('a stand-in for the legacy system: takes every message and writes a line of JSON for it')
  .action(async () => end((await import('#cli/commands/stand-in.ts')).runStandIn(configFile())))

program
  .command('topics')
  .description('makes the topics that are missing')
  .option('--check', 'only say what is wrong with them')
  .option('--bucket', 'make the bucket, too')
  .action(async (options) => end((await import('#cli/commands/topics.ts')).runTopics(configFile(), options)))

const routes = program
  .command('routes')
  .description('sends verdicts to webhooks and messages to SMTP targets, by the rules of ROUTES')
  .action(async () => end((await import('#cli/commands/service.ts')).runService('routes', configFile())))

routes
  .command('test')
  .description('says which routes would take a message, and why the others would not')
  .argument('<file>', 'a message; - is the standard input')
  .option('--to <address...>', 'forward-paths of its envelope')
  .action(async (file: string, options: { to?: string[] }) =>
    end((await import('#cli/commands/routes-test.ts')).runRoutesTest(configFile(), file, options.to ?? [])),
  )

program
  .command('config')
  .description('every setting: variable, type, unit, default, meaning')
  .addOption(new Option('--json').conflicts('markdown'))
  .option('--markdown')
  .action(async (options) => end((await import('#cli/commands/config.ts')).runConfig(options)))

program
  .command('doctor')
  .description('checks the settings, the log, the store, the legacy hosts, the ports and the certificates')
  .action(async () => end((await import('#cli/commands/doctor.ts')).runDoctor(configFile())))

program
  .command('lag')
  .description('what waits for each service, how old it is, and when retention would drop it')
  .action(async () => end((await import('#cli/commands/lag.ts')).runLag(configFile())))

program
  .command('replay')
  .description('reads mail.raw again through the present classifier and says which verdicts changed')
  .requiredOption('--from <time>', 'first time of acceptance, as 2026-11-24T12:00:00Z or 2026-11-24')
  .option('--to <time>', 'behind the last one; absent: now')
  .requiredOption('--name <name>', 'the verdicts go to mail.replay.<name>')
  .option('--json', 'lines of JSON; the last one is the summary')
  .action(async (options) => end((await import('#cli/commands/replay.ts')).runReplay(configFile(), options)))

program
  .command('redrive')
  .description('sends dead letters, or what was sent before, to the legacy system once more')
  .option('--id <id...>', 'only these messages')
  .option('--reason <reason>', 'only those dead for this reason: rejected, expired, look-alike, claim-missing')
  .option('--reply <text>', 'only those whose refusal holds this text')
  .option('--from <time>', 'only what died since then, as 2026-11-24T12:00:00Z or 2026-11-24')
  .option('--to <time>', 'and before then')
  .option('--dry-run', 'only say which')
  .option('--again', 'also what was driven again before')
  .option('--history', 'of mail.raw instead: also what the legacy system took, to all recipients; needs --id or --from')
  .option('--rate <n>', 'messages a second', whole, 50)
  .action(async (options) => end((await import('#cli/commands/redrive.ts')).runRedrive(configFile(), options)))

program
  .command('demo')
  .description('sends mail of our own making to SMTP_LISTEN')
  .option('--count <n>', 'messages', whole, 200)
  .option('--rate <n>', 'messages a second', whole, 20)
  .action(async (options) => end((await import('#cli/commands/demo.ts')).runDemo(configFile(), options)))

async function end(work: Promise<number> | number): Promise<void> {
  process.exitCode = await work
}

// An error that nobody awaited says nothing of the rest of the process: better to end and be started again.
process.on('unhandledRejection', (error) => fail(error))
process.on('uncaughtException', (error) => fail(error))

function fail(error: unknown): never {
  process.stderr.write(`${describeError(error)}\n`)
  if (error instanceof Error && exitCodeOf(error) === 1) process.stderr.write(`${error.stack ?? ''}\n`)
  process.exit(exitCodeOf(error))
}

program.parseAsync().catch(fail)
