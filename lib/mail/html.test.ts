import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { htmlToText } from './html.ts'

describe('the text of a page', () => {
  for (const [html, text] of [
    ['<p>one<br>two</p><div>three</div>', 'one\ntwo\nthree\n'],
    ['<pre>550 5.1.1\r\n<b>user</b> unknown</pre>', '550 5.1.1\r\nuser unknown\n'],
    ['one\r\nline<span>s</span>', 'one line s '],
    ['<b>bob</b>@<i>x.exam<wbr>ple</i> <b>a</b> @ b', 'bob@x.example a @ b'],
    ['<dl><dt>bob@x.example</dt><dd>unknown</dd></dl>', 'bob@x.example\nunknown\n'],
    ['caf&eacute; &lt;bob@x.example&gt;&nbsp;&#39;&amp;lt;', "café <bob@x.example> '&lt;"],
    ['could not reach <bob@x.example>: unknown', 'could not reach <bob@x.example>: unknown'],
    ['<title>no</title><style>p{}</style><script>if (a<b) {}</script>yes', 'yes'],
    ['<!-- no -->yes<!-- never ends', 'yes'],
    ['<a title="a > b" href=x>yes</a', 'yes'],
    ['<div>\n  <p> one </p>\n  <p>&nbsp;two</p>\n</div>', 'one\n two\n'],
    ['<div>one<br></div><div><br></div><div><b>two<br></b></div>three<br><br>', 'one\n\ntwo\nthree\n\n'],
    ['<pre>Received: by a;\n\tMonday</pre>', 'Received: by a;\n Monday\n'],
    ['one<div>two</div><p><b></b>three<ul><li>four</li></ul>', 'one\ntwo\nthree\nfour\n'],
    ['1 < 2 &foo; &', '1 < 2 &foo; &'],
  ] as const) {
    it(html, () => assert.equal(htmlToText(html), text))
  }
})
