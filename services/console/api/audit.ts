/** The audit of the legacy system: its list, or its log, against what the mail says. */
import { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { type Static, Type } from 'typebox'
import type { AppPorts } from '../app.ts'
import { audit, type Finding, findingLine, findingNames, readList, readLog } from '../audit.ts'
import { uploadBytesMax, uploadOf } from './uploads.ts'

const findingsMax = 2_000
const exportedMax = 5_000_000

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
      const findings: Finding[] = []
      const max = format === 'csv' ? exportedMax : findingsMax
      const summary = await audit(
        isLog ? readLog(given, auditLog) : readList(given),
        {
          get: (address) => suppressions.get(address),
          all: () => suppressions.all(),
          campaignOf: (ids) => ids.map((id) => view.message(id)?.campaign ?? '').find((name) => name !== '') ?? '',
        },
        (finding) => {
          if ((format === 'csv' || finding.finding !== 'supported') && findings.length < max) findings.push(finding)
        },
      )
      if (format === 'json') return { ...summary, findings }
      return reply
        .type('text/csv; charset=utf-8')
        .header('content-disposition', 'attachment; filename="audit.csv"')
        .send(Readable.from([`${findingNames.join(',')}\r\n`, ...findings.map(findingLine)]))
    },
  )
}
