/** The answer NO, with a response code of RFC 5530 or RFC 9051 section 7.1 in front where one fits. */
export class Refusal extends Error {}
