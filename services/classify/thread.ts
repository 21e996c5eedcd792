/** A thread of the pool: says `ready`, then answers each batch of messages with their verdicts, in order. */
import { parentPort, workerData } from 'node:worker_threads'
import type { ThreadData } from '#lib/runtime/thread.ts'
import { classifyOptions } from './config.ts'
import { type Answer, answer, type ClassifierConfig, type Question } from './pool.ts'

const { data } = workerData as ThreadData<ClassifierConfig> // Set by pool.ts, which starts this thread.
const options = classifyOptions(data)

parentPort?.on('message', (questions: readonly Question[]) => {
  parentPort?.postMessage(questions.map((question): Answer => answer(question, options)))
})
parentPort?.postMessage('ready')
