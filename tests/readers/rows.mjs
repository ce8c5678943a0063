// Answer the questions of engines.py with the rows that a snippet of docs/readers.md has read.
import { pathToFileURL } from 'node:url'

const day = (value) => value.toISOString().slice(0, 10)
const sum = (values) => values.reduce((total, value) => total + Number(value), 0)
const plain = (value) => (typeof value === 'bigint' ? 'bigint' : value instanceof Date ? 'Date' : typeof value)

function group(rows, key) {
  const groups = new Map()
  for (const row of rows) groups.set(row[key], [...(groups.get(row[key]) ?? []), row])
  return [...groups]
}

const [snippet, symbol] = process.argv.slice(2)
const { daily } = await import(pathToFileURL(snippet))
const sessions = (rows) => rows.map((row) => day(row.session)).sort()
const since = daily.filter((row) => day(row.session) >= '2013-02-01')
const some = daily.filter((row) => row.date > '2013-01-20' && row.date < '2013-03')
const known = (rows) => rows.map((row) => row.rsi_14).filter((value) => value !== null && value !== undefined)
const mean = (values) => (values.length ? sum(values) / values.length : null)

const whole = daily.find((row) => known([row]).length)
const columns = ['date', 'ticker', 'session', 'close', 'volume', 'flags', 'rsi_14']
console.log(JSON.stringify({
  types: Object.fromEntries(columns.map((name) => [name, plain(whole[name])])),
  answers: {
    'of each ticker': group(daily, 'ticker').map(([name, rows]) =>
      [name, rows.length, sum(rows.map((row) => row.volume)), sessions(rows)[0], sessions(rows).at(-1)]),
    'one ticker': daily.filter((row) => row.ticker === symbol).map((row) => [day(row.session), row.close]),
    'since a day': [[since.length, sum(since.map((row) => row.close))]],
    'some partitions': group(some, 'date').map(([date, rows]) => [date, rows.length]),
    nulls: group(daily, 'ticker').map(([name, rows]) => [name, known(rows).length, mean(known(rows))])
  }
}))
