/** Settings of routes. */
import { readFileSync } from 'node:fs'
import { describeError } from '#lib/runtime/errors.ts'
import * as setting from '#lib/runtime/settings.ts'
import type { RelayConfig } from '../config.ts'
import { parseRoutes, type Route } from './rules.ts'

export const routesSettings = {
  routes: setting.text('ROUTES', '[]', {
    meaning: 'the routes as JSON, or the path of a file that holds them: docs/operate/routes.md',
    secret: true,
  }),
  routesAgeMs: setting.integer('ROUTES_AGE_MS', 43_200_000, {
    unit: 'milliseconds',
    min: 1_000,
    max: 86_400_000,
    meaning:
      'a message that a route could not deliver in this time goes to mail.dead; mail.classified is kept for a day',
  }),
} as const

export type RoutesConfig = RelayConfig & setting.Values<typeof routesSettings>

/** @param given JSON, or the path of a file */
export function readRoutes(given: string): { readonly routes: readonly Route[]; readonly problems: readonly string[] } {
  if (given.trimStart().startsWith('[')) return parseRoutes(given)
  try {
    return parseRoutes(readFileSync(given, 'utf8'))
  } catch (error) {
    return { routes: [], problems: [`${given} cannot be read: ${describeError(error)}`] }
  }
}

/** What is wrong with the routes. */
export const checkRoutes = ({ routes }: setting.Values<typeof routesSettings>): readonly setting.Problem[] =>
  readRoutes(routes).problems.map((problem) => ({ variable: 'ROUTES', line: `ROUTES: ${problem}` }))
