/** The audit of the legacy system: its list, or its log, against what the mail says. */
import { once } from 'node:events'
import { PassThrough, type Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { type Static, Type } from 'typebox'
import type { AppPorts } from '../app.ts'
import { audit, type Finding, findingLine, findingNames, readList, readLog } from '../audit.ts'
import { uploadBytesMax, uploadOf } from './uploads.ts'

const findingsMax = 2_000
/** So much is made before any of it is sent: what is wrong with a shorter list is an answer of its own. */
const aheadBytes = 1024 * 1024

const auditQuery = Type.Object({
  format: Type.Enum(['json', 'csv'], {
    default: 'json',
    description: 'json: sums, and the first findings that are none to expect; csv: a line for each finding',
  }),
})

export function auditRoutes(app: FastifyInstance, { suppressions, view, auditLog }: AppPorts): void {
  app.post(
    '/api/audit',
    {
      bodyLimit: uploadBytesMax,
      schema: {
        querystring: auditQuery,
        summary: 'The legacy system’s list (text/csv), or its log (text/plain), against what the mail says',
      },
    },
    async (request, reply) => {
      const { format } = request.query as Static<typeof auditQuery> // Checked by the schema.
      const isLog = /^text\/plain\b/i.test(request.headers['content-type'] ?? '')
      const given = uploadOf(request)
      const list = isLog ? readLog(given, auditLog) : readList(given)
      const book = {
        get: (address: string) => suppressions.get(address),
        all: () => suppressions.all(),
        campaignOf: (id: string) => view.message(id)?.campaign ?? '',
      }
      if (format === 'csv') {
        return reply
          .type('text/csv; charset=utf-8')
          .header('content-disposition', 'attachment; filename="audit.csv"')
          .send(await linesOf((found) => audit(list, book, found)))
      }
      const findings: Finding[] = []
      const summary = await audit(list, book, (finding) => {
        if (finding.finding !== 'supported' && findings.length < findingsMax) findings.push(finding)
      })
      return { ...summary, findings }
    },
  )
}

/** A line of CSV for each finding, made as fast as they are taken. */
async function linesOf(work: (found: (finding: Finding) => unknown) => Promise<unknown>): Promise<Readable> {
  const lines = new PassThrough({ highWaterMark: aheadBytes })
  // Whoever sends it hears of it, too; nobody does yet.
  lines.on('error', () => {})
  lines.write(`${findingNames.join(',')}\r\n`)
  let isFull: () => void = () => {}
  const full = new Promise<void>((resolve) => {
    isFull = resolve
  })
  const done = work(async (finding) => {
    if (lines.write(findingLine(finding))) return
    isFull()
    if (!lines.destroyed) await Promise.race([once(lines, 'drain'), once(lines, 'close')])
    if (lines.destroyed) throw new Error('nobody takes the findings any more')
  })
  done.then(
    () => lines.end(),
    (error: Error) => lines.destroy(error),
  )
  await Promise.race([done, full])
  return lines
}
