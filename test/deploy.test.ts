/** The manifests against the code (commands, settings, ports, topics, groups), and against the schemas of Kubernetes where they are at hand. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { Ajv } from 'ajv'
import { parse, parseAllDocuments } from 'yaml'
import { groups, type ServiceName, serviceNames } from '#cli/services.ts'
import { checkImap, portSettings, serviceSettings } from '#cli/settings.ts'
import { standInSettings } from '#cli/stand-in.ts'
import { type Problem, readSettings } from '#lib/runtime/settings.ts'
import { corpusMissing } from '#lib/testing/messages.ts'
import { topicSpecs } from '#schemas/topics.ts'
import { checkConsole } from '#services/console/config.ts'
import { checkIngest } from '#services/ingest/config.ts'

const root = join(import.meta.dirname, '..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

type Manifest = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly spec: Record<string, never>
  readonly data?: Record<string, string>
}
type Container = {
  readonly args: string[]
  readonly env: { name: string; value: string }[]
  readonly ports: { name: string; containerPort: number }[]
  readonly securityContext: Record<string, unknown>
  readonly resources: { requests: Record<string, string>; limits: Record<string, string> }
  readonly [probe: string]: unknown
}

const manifests = (folder: string): Manifest[] =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.yaml') && name !== 'kustomization.yaml')
    .flatMap((name) => parseAllDocuments(read(join(folder, name))).map((document) => document.toJS() as Manifest))

const base = manifests('k8s/base')
const of = (kind: string): Manifest[] => base.filter((manifest) => manifest.kind === kind)
const shared = base.find(({ kind }) => kind === 'ConfigMap')?.data ?? {}
const secrets = Object.fromEntries(
  read('k8s/overlays/example/secrets.env')
    .trim()
    .split('\n')
    .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
)
const allVariables = new Set(
  Object.values(serviceSettings).flatMap((settings) => Object.values(settings).map(({ variable }) => variable)),
)

const checks = { ingest: checkIngest, imap: checkImap, console: checkConsole } as unknown as Record<
  string,
  ((values: unknown) => readonly Problem[]) | undefined
>

/** The variables of a service's settings, and Node's own. */
const knownTo = (name: ServiceName): ReadonlySet<string> =>
  new Set([...Object.values(serviceSettings[name]).map(({ variable }) => variable), 'NODE_OPTIONS'])

function readAll(name: ServiceName, environment: Record<string, string>): Record<string, unknown> {
  // As the command does; the table pairs each name with its check.
  return readSettings(name, serviceSettings[name], { environment }, { check: checks[name] }) as Record<string, unknown>
}

describe('docker-compose.yml', () => {
  const compose = parse(read('docker-compose.yml'), { merge: true }) as {
    services: Record<
      string,
      {
        command?: string[]
        environment?: Record<string, string>
        ports?: string[]
        depends_on?: Record<string, { condition: string }>
        healthcheck?: { test?: string[]; disable?: boolean }
        volumes?: string[]
      }
    >
    volumes: Record<string, unknown>
  }

  it('runs every service with settings that it knows and takes', () => {
    for (const name of serviceNames) {
      const service = compose.services[name]
      assert.deepEqual(service?.command, [name])
      const known = knownTo(name)
      for (const variable of Object.keys(service?.environment ?? {}))
        assert.ok(known.has(variable), `${name}: ${variable}`)
      readAll(name, service?.environment ?? {})
    }
    readSettings('topics', portSettings, { environment: compose.services['topics']?.environment ?? {} })
    readSettings('stand-in', standInSettings, { environment: compose.services['legacy']?.environment ?? {} })
  })

  it('publishes, on loopback, the ports that the services listen on', () => {
    for (const [name, service] of Object.entries(compose.services)) {
      for (const published of service.ports ?? []) {
        const [, port] = /^127\.0\.0\.1:\d+:(\d+)$/.exec(published) ?? []
        assert.ok(port, `${name}: ${published}`)
        assert.ok(
          Object.values(service.environment ?? {}).some((value) => value.endsWith(`:${port}`)),
          `${name} does not listen on ${port}`,
        )
      }
    }
  })

  it('starts in order: brokers and store, then topics and bucket, then services, each gated by its health', () => {
    assert.deepEqual(compose.services['topics']?.command, ['topics', '--bucket'])
    assert.deepEqual(Object.keys(compose.services['topics']?.depends_on ?? {}), ['kafka', 'minio'])
    for (const name of [...serviceNames, 'legacy']) {
      const service = compose.services[name]
      assert.deepEqual(service?.depends_on, { topics: { condition: 'service_completed_successfully' } })
      const port = /:(\d+)$/.exec(service?.environment?.['HEALTH_LISTEN'] ?? '')?.[1]
      assert.ok(service?.healthcheck?.test?.join(' ').includes(`http://127.0.0.1:${port}/readyz`), name)
    }
    for (const { volumes } of Object.values(compose.services)) {
      for (const volume of volumes ?? []) assert.ok((volume.split(':')[0] ?? '') in compose.volumes, volume)
    }
    const legacy = /:(\d+)$/.exec(compose.services['legacy']?.environment?.['STAND_IN_LISTEN'] ?? '')?.[1]
    assert.equal(compose.services['forward']?.environment?.['LEGACY_SMTP'], `smtp://legacy:${legacy}`)
  })
})

describe('Dockerfile', () => {
  it('copies what the program imports, and runs what package.json says', () => {
    const text = read('Dockerfile')
    for (const path of ['mailweir.ts', 'bin', 'cli', 'lib', 'schemas', 'services'])
      assert.match(text, new RegExp(`^COPY ${path} `, 'm'))
    for (const [, path = ''] of text.matchAll(/^COPY (\S+) /gm)) assert.ok(existsSync(join(root, path)), path)
    assert.match(text, /^USER 10001:10001$/m)
    const wanted = /FROM node:(\d+)/.exec(text)?.[1]
    const { engines } = JSON.parse(read('package.json')) as { engines: { node: string } }
    assert.equal(engines.node, `>=${wanted}`)
  })
})

describe('k8s/base', () => {
  it('has a Deployment and a disruption budget for every service, and every file is in the kustomization', () => {
    assert.deepEqual(
      of('Deployment')
        .map(({ metadata }) => metadata.name)
        .sort(),
      [...serviceNames].sort(),
    )
    assert.deepEqual(
      of('PodDisruptionBudget')
        .map(({ metadata }) => metadata.name)
        .sort(),
      [...serviceNames].sort(),
    )
    const { resources } = parse(read('k8s/base/kustomization.yaml')) as { resources: string[] }
    assert.deepEqual([...resources, 'kustomization.yaml'].sort(), readdirSync(join(root, 'k8s', 'base')).sort())
  })

  for (const name of serviceNames) {
    it(`runs ${name} with settings that it takes, probes, bounds and no rights`, () => {
      const deployment = of('Deployment').find(({ metadata }) => metadata.name === name)
      assert.ok(deployment)
      const pod = (
        deployment.spec['template'] as unknown as { spec: Record<string, unknown> & { containers: Container[] } }
      ).spec
      const [container] = pod.containers
      assert.ok(container)
      assert.deepEqual(container.args, [name])
      const own = Object.fromEntries(container.env.map((entry) => [entry.name, entry.value]))
      const known = knownTo(name)
      for (const variable of Object.keys(own)) assert.ok(known.has(variable), variable)
      const values = readAll(name, { ...shared, ...secrets, ...own })
      assert.ok(Number(pod['terminationGracePeriodSeconds']) * 1000 > Number(values['stopMs']))
      assert.equal(pod['enableServiceLinks'], false)
      assert.equal(pod['automountServiceAccountToken'], false)
      assert.equal((pod['securityContext'] as { runAsNonRoot: boolean }).runAsNonRoot, true)
      assert.deepEqual(container.securityContext, {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      })
      assert.ok(
        container.resources.requests['memory'] &&
          container.resources.requests['cpu'] &&
          container.resources.limits['memory'],
      )
      const listening = Object.values(own).map((value) => Number(value.split(':').at(-1)))
      for (const { containerPort } of container.ports)
        assert.ok(listening.includes(containerPort), `${name} does not listen on ${containerPort}`)
      const names = container.ports.map((port) => port.name)
      for (const [probe, path] of [
        ['startupProbe', '/readyz'],
        ['readinessProbe', '/readyz'],
        ['livenessProbe', '/healthz'],
      ] as const) {
        const { httpGet } = container[probe] as { httpGet: { path: string; port: string } }
        assert.equal(httpGet.path, path)
        assert.equal(httpGet.port, 'health')
        assert.ok(names.includes(httpGet.port))
      }
      const service = of('Service').find(({ metadata }) => metadata.name === name)
      for (const { targetPort } of (service?.spec['ports'] ?? []) as { targetPort: string }[])
        assert.ok(names.includes(targetPort), targetPort)
    })
  }

  it('shares only settings that exist', () => {
    const overlay = manifests('k8s/overlays/example').find(({ kind }) => kind === 'ConfigMap')?.data ?? {}
    for (const variable of [...Object.keys(shared), ...Object.keys(secrets), ...Object.keys(overlay)])
      assert.ok(allVariables.has(variable), variable)
    for (const name of serviceNames) readAll(name, { ...shared, ...secrets, ...overlay, IMAP_LISTEN: '0.0.0.0:1143' })
  })

  it('has the topics of the code, and scales each consumer on the lag of its own group, never above the partitions', () => {
    const partitions = Number(shared['PARTITIONS'])
    const specs = topicSpecs(partitions)
    const topics = new Map(
      of('KafkaTopic').map((topic) => [
        topic.metadata.name,
        topic.spec as unknown as { partitions: number; replicas: number; config: Record<string, string | number> },
      ]),
    )
    assert.deepEqual([...topics.keys()].sort(), specs.map(({ name }) => name).sort())
    for (const spec of specs) {
      const topic = topics.get(spec.name)
      assert.equal(topic?.partitions, spec.partitions, spec.name)
      assert.equal(topic.config['cleanup.policy'], spec.cleanup)
      assert.equal(topic.config['retention.ms'], spec.retentionMs ?? -1)
      assert.ok(Number(topic.config['min.insync.replicas']) < topic.replicas)
    }
    const scaled = of('ScaledObject')
    assert.deepEqual(scaled.map(({ metadata }) => metadata.name).sort(), Object.keys(groups).sort())
    for (const { metadata, spec } of scaled) {
      const { maxReplicaCount, triggers } = spec as unknown as {
        maxReplicaCount: number
        triggers: { type: string; metadata: Record<string, string> }[]
      }
      const trigger = triggers[0]?.metadata
      assert.equal(trigger?.['consumerGroup'], groups[metadata.name as keyof typeof groups])
      assert.ok(maxReplicaCount <= (topics.get(trigger?.['topic'] ?? '')?.partitions ?? 0))
      assert.ok(allVariables.has(trigger?.['bootstrapServersFromEnv'] ?? ''))
    }
  })

  it('alerts on metrics that there are', () => {
    const known = read('docs/METRICS.md')
    const used = [...read('k8s/alerts/rules.yaml').matchAll(/\bmailweir_\w+/g)].map(([name]) => name)
    assert.ok(used.length > 4)
    for (const name of used) assert.ok(known.includes(name), name)
  })

  const schemas = join(root, '..', 'shared', 'k8s-schemas')
  it('fits the schemas of Kubernetes, Strimzi and KEDA', {
    skip: !existsSync(schemas) && `${corpusMissing}: nor its schemas`,
  }, () => {
    const ajv = new Ajv({ strict: false, validateFormats: false })
    const all = [...base, ...manifests('k8s/overlays/example'), ...manifests('k8s/alerts')]
    const files = readdirSync(schemas, { recursive: true, encoding: 'utf8' })
    for (const manifest of all) {
      const [group = '', version = ''] = manifest.apiVersion.includes('/')
        ? manifest.apiVersion.split('/')
        : ['', manifest.apiVersion]
      const kind = manifest.kind.toLowerCase()
      const short = group.split('.')[0] ?? ''
      const candidates =
        group === ''
          ? [`${kind}-${version}.json`]
          : [`${kind}-${short}-${version}.json`, `crds/${group}/${kind}_${version}.json`]
      const file = candidates.find((candidate) => files.includes(candidate))
      assert.ok(file, `no schema of ${manifest.apiVersion} ${manifest.kind}`)
      // Go's flag for either case, which these patterns do without here.
      const validate = ajv.compile(JSON.parse(readFileSync(join(schemas, file), 'utf8').replaceAll('(?i)', '')))
      assert.ok(validate(manifest), `${manifest.kind} ${manifest.metadata.name}: ${JSON.stringify(validate.errors)}`)
    }
  })

  it('is built by kustomize, where kubectl is at hand', () => {
    try {
      execFileSync('kubectl', ['version', '--client'], { stdio: 'ignore' })
    } catch {
      return
    }
    const built = parseAllDocuments(
      execFileSync('kubectl', ['kustomize', join(root, 'k8s/overlays/example')], { encoding: 'utf8' }),
    ).map((document) => document.toJS() as Manifest)
    const wanted = [...base, ...manifests('k8s/overlays/example')].filter(({ kind }) => kind !== 'ConfigMap').length
    assert.equal(built.length, wanted + 2) // The ConfigMap and the Secret.
  })
})
