/** `mailweir topics`: makes the topics that are missing, or with `--check` says what is wrong with those there are. */
import { readSettings } from '#lib/runtime/settings.ts'
import { topicSpecs } from '#schemas/topics.ts'
import { closePorts, makeTopics, openPorts, type Ports } from '../ports.ts'
import { portSettings, sourceOf } from '../settings.ts'

export async function runTopics(
  configFile: string | undefined,
  options: { readonly check?: boolean; readonly bucket?: boolean },
): Promise<number> {
  const values = readSettings('mailweir topics', portSettings, sourceOf(configFile))
  const ports = await openPorts(values, 'topics')
  try {
    if (options.check) {
      const problems = await checkTopics(ports, values.partitions)
      for (const problem of problems) process.stdout.write(`${problem}\n`)
      if (problems.length === 0) process.stdout.write('all topics are as they should be\n')
      return problems.length === 0 ? 0 : 1
    }
    const created = await makeTopics(ports, values.partitions)
    process.stdout.write(created.length === 0 ? 'all topics are there\n' : `made ${created.join(', ')}\n`)
    if (options.bucket) {
      await ports.objects.prepare()
      process.stdout.write(
        values.s3Bucket === null ? 'the folder is there\n' : `the bucket ${values.s3Bucket} is there\n`,
      )
    }
    return 0
  } finally {
    await closePorts(ports)
  }
}

/** What differs from `schemas/topics.ts`; each line says what to do. */
export async function checkTopics(ports: Pick<Ports, 'log'>, partitions: number): Promise<string[]> {
  const specs = topicSpecs(partitions)
  const states = await ports.log.admin.describeTopics(specs.map(({ name }) => name))
  return specs.flatMap((spec, index) => {
    const state = states[index]
    if (!state) return [`${spec.name} is missing: run "mailweir topics"`]
    const problems: string[] = []
    if (state.partitions !== spec.partitions) {
      problems.push(
        `${spec.name} has ${state.partitions} partitions, not ${spec.partitions}: set PARTITIONS to what it has, or make it anew`,
      )
    }
    if (state.cleanup !== spec.cleanup) {
      problems.push(`${spec.name} has cleanup.policy ${state.cleanup}, not ${spec.cleanup}: change it on the broker`)
    }
    if (spec.retentionMs !== null && state.retentionMs !== null && state.retentionMs < spec.retentionMs) {
      problems.push(
        `${spec.name} keeps records for ${state.retentionMs} ms, not ${spec.retentionMs}: set retention.ms on the broker`,
      )
    }
    if (ports.log.adapter === 'kafka' && state.minInsyncReplicas < 2) {
      problems.push(
        `${spec.name} has min.insync.replicas 1: the loss of one broker can lose what was acknowledged; use 3 replicas and 2 in sync`,
      )
    }
    return problems
  })
}
