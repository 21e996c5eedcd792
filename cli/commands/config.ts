/** `mailweir config`: every setting with its variable, type, unit, default and meaning. */
import type { Setting } from '#lib/runtime/settings.ts'
import { sections, upFallbacks } from '../settings.ts'

type Row = {
  readonly variable: string
  readonly type: string
  readonly unit: string
  readonly default: string
  readonly expected: string
  readonly meaning: string
  readonly readBy: string
}

export function runConfig(options: { readonly json?: boolean; readonly markdown?: boolean }): number {
  process.stdout.write(options.json ? asJson() : options.markdown ? asMarkdown() : asTable())
  return 0
}

function rowOf(declared: Setting<unknown>, readBy: string): Row {
  const up = upFallbacks[declared.variable]
  const own = declared.fallback ?? (declared.required ? '(required)' : '(none)')
  return {
    variable: declared.variable,
    type: declared.type,
    unit: declared.unit,
    default: up === undefined ? own : `${own}; with npm start ${up}`,
    expected: declared.expected,
    meaning: declared.meaning,
    readBy,
  }
}

const rows = (): { title: string; readBy: string; rows: Row[] }[] =>
  sections.map(({ title, readBy, settings }) => ({
    title,
    readBy,
    rows: Object.values(settings).map((declared) => rowOf(declared, readBy)),
  }))

const asJson = (): string =>
  `${JSON.stringify(
    rows().flatMap((section) => section.rows),
    null,
    2,
  )}\n`

function asTable(): string {
  return rows()
    .map(({ title, rows }) => {
      const lines = rows.map((row) => {
        const unit = row.unit === '' ? '' : `, ${row.unit}`
        return `  ${row.variable}\n      ${row.type}${unit}; default ${row.default === '' ? '(empty)' : row.default}\n      ${row.meaning}`
      })
      return `${title}\n${lines.join('\n')}\n`
    })
    .join('\n')
}

export function asMarkdown(): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;')
  const code = (text: string): string => (text === '' ? '' : `\`${cell(text)}\``)
  const body = rows()
    .map(({ title, readBy, rows }) => {
      const lines = rows.map(
        (row) =>
          `| \`${row.variable}\` | ${row.type} | ${row.unit} | ${code(row.default)} | ${cell(row.meaning)} (${cell(row.expected)}) |`,
      )
      return `## ${title}\n\nRead by: ${readBy}.\n\n| variable | type | unit | default | meaning (expected) |\n| --- | --- | --- | --- | --- |\n${lines.join('\n')}\n`
    })
    .join('\n')
  return `# Settings

Environment variables, or lines of \`NAME=value\` in a file named by \`--config\`; the environment wins. All wrong settings are
reported together, each with its value and what was expected. This page is made by \`npm run generate\` from the declarations in
\`lib/*/config.ts\` and \`services/*/config.ts\`.

${body}`
}
