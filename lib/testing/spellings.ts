/** What keyboards, gateways and operating systems make of letters that ASCII has not. */
const digraphs: Readonly<Record<string, string>> = { ä: 'ae', ö: 'oe', ü: 'ue', ø: 'oe', å: 'aa', æ: 'ae', ß: 'ss' }
const others: Readonly<Record<string, string>> = { ł: 'l', đ: 'd', ı: 'i', æ: 'ae', ø: 'o', ß: 'ss' }
const inLatin = (text: string, write: (letter: string) => string): string =>
  text.replace(/[^\x00-\x7f]/gu, (letter) => (/\p{Script=Latin}/u.test(letter) ? write(letter) : letter))

export const spellings: Readonly<Record<string, (text: string) => string>> = {
  'without diacritical marks': (text) =>
    inLatin(text, (letter) => others[letter] ?? letter.normalize('NFD').replace(/\p{M}/gu, '')),
  'with digraphs': (text) => inLatin(text, (letter) => digraphs[letter] ?? letter),
  'with decomposed letters': (text) => text.normalize('NFD'),
}
