/** `mailweir routes test FILE`: which routes would take a message, and why the others would not. */
import { readSettings } from '#lib/runtime/settings.ts'
import { classify } from '#services/classify/classify.ts'
import { classifyOptions, classifySettings } from '#services/classify/config.ts'
import { checkRoutes, readRoutes, routesSettings } from '#services/forward/routes/config.ts'
import { mismatch } from '#services/forward/routes/rules.ts'
import { readMessage } from '../messages.ts'
import { sourceOf } from '../settings.ts'

export function runRoutesTest(configFile: string | undefined, file: string, to: readonly string[]): number {
  const values = readSettings(
    'mailweir routes test',
    { ...classifySettings, ...routesSettings },
    sourceOf(configFile),
    { check: checkRoutes },
  )
  const envelope = {
    reversePath: '',
    parameters: {},
    forwardPaths: to.map((address) => ({ address, parameters: {} })),
    client: { address: '', port: 0, name: '', tls: null },
  }
  const verdict = classify(readMessage(file), envelope, classifyOptions(values))
  process.stdout.write(`${[verdict.kind, verdict.variant].filter((word) => word !== '').join(', ')}\n`)
  const { routes } = readRoutes(values.routes)
  if (routes.length === 0) process.stdout.write('ROUTES holds no route\n')
  for (const route of routes) {
    const why = mismatch(route, { envelope, verdict })
    const target = route.to.kind === 'webhook' ? route.to.url : route.to.hosts.join(', ')
    process.stdout.write(`${route.name}: ${why === null ? `takes it, to ${target}` : `does not: ${why}`}\n`)
  }
  return 0
}
