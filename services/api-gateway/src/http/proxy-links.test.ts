import { describe, expect, test } from 'vitest'
import { joinPaths, rewriteHtml, rewriteUrl } from './proxy-links.ts'

const links = { pathPrepend: '/api/v1/namespaces/d/pods/web/proxy', targetHost: '10.0.0.1:80', requestHost: 'localhost:8001' }

describe('a link', () => {
  // The cases of upstream's transport_test.go, in our words.
  test.each([
    ['/kubernetes', '/api/v1/namespaces/d/pods/web/proxy/kubernetes'],
    ['/kubernetes/', '/api/v1/namespaces/d/pods/web/proxy/kubernetes/'],
    ['relative/here', 'relative/here'],
    ['#top', '#top'],
    ['http://10.0.0.1:80/a?b=c#d', '/api/v1/namespaces/d/pods/web/proxy/a?b=c#d'],
    ['http://localhost:8001/a', 'http://localhost:8001/api/v1/namespaces/d/pods/web/proxy/a'],
    ['https://example.com/a', 'https://example.com/a'],
    ['//example.com/a', '//example.com/a'],
    ['/api/v1/namespaces/d/pods/web/proxy/a', '/api/v1/namespaces/d/pods/web/proxy/a'],
    ['mailto:a@b', 'mailto:a@b'],
    ['/a/../b', '/api/v1/namespaces/d/pods/web/proxy/b'],
  ])('%s leads to %s', (link, expected) => {
    expect(rewriteUrl(link, links)).toBe(expected)
  })

  test('is rewritten where HTML has it, and text that looks like one is not', () => {
    const page = `<!DOCTYPE html><!-- <a href="/no"> --><HTML><head><script src='/s.js'>var a = '<a href="/no">'</script>
<style>a { background: url(/no) }</style></head><body onload="/no"><a class=x href=/a>1</a><a href="/b?x=1&amp;y=2" title="/no">2</a>
<img alt="a > b" src="/c.png"/><p cite="/no">1 < 2</p><form action="https://example.com/x"></form></body></html>`
    const p = links.pathPrepend
    expect(rewriteHtml(page, links)).toBe(`<!DOCTYPE html><!-- <a href="/no"> --><HTML><head><script src="${p}/s.js">var a = '<a href="/no">'</script>
<style>a { background: url(/no) }</style></head><body onload="/no"><a class=x href="${p}/a">1</a><a href="${p}/b?x=1&amp;y=2" title="/no">2</a>
<img alt="a > b" src="${p}/c.png"/><p cite="/no">1 < 2</p><form action="https://example.com/x"></form></body></html>`)
  })

  test('in a page made to be slow takes no time', () => {
    const pages = [
      `${'<a href="'.repeat(100_000)}${'<'.repeat(100_000)}<!--`,
      `<a ${'a'.repeat(1_000_000)}>`,
      `<a ${'a '.repeat(4_000)}>`.repeat(100),
      '<script>'.repeat(100_000),
      '<!--'.repeat(100_000),
    ]
    const beginMs = performance.now()
    for (const page of pages) expect(rewriteHtml(page, links)).toBe(page)
    expect(performance.now() - beginMs).toBeLessThan(2_000)
  })
})

test('paths are cleaned as they are joined', () => {
  expect([joinPaths('', ''), joinPaths('/a//b', '../c/'), joinPaths('/x', '/'), joinPaths('../..', 'a')]).toEqual(['/', '/a/c/', '/x/', '/a'])
})
