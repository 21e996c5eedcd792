/**
 * What every service is to the process that runs it.
 */
export interface Service {
  readonly name: string
  /** Resolves once it serves; rejects if it never will. */
  readonly ready: Promise<void>
  /** Resolves after `stop`; rejects if the service died after it was ready. */
  readonly done: Promise<void>
  /** Whether it can do its work now: the answer of `/readyz`. */
  isReady(): boolean
  /** Drains, commits, closes. Twice is fine. */
  stop(): Promise<void>
}
