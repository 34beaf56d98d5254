-- Sends the requests of a file in turn, as benchmarks/load.py writes it: method, path, API key, then one body a line.
-- A %d in the path counts the requests. Prints one JSON object.

local requests, number, path, headers, method = {}, 0, nil, nil, nil

function init(args)
   local file = assert(io.open(args[1]))
   method, path = file:read("*l"), file:read("*l")
   headers = { ["X-Api-Key"] = file:read("*l"), ["Content-Type"] = "application/json", ["Host"] = wrk.headers["Host"] }
   for body in file:lines() do
      requests[#requests + 1] = wrk.format(method, path, headers, body)
   end
   file:close()
end

function request()
   number = number + 1
   if #requests > 0 then
      return requests[(number - 1) % #requests + 1]
   end
   return wrk.format(method, string.format(path, number), headers)
end

function done(summary, latency)
   local errors = summary.errors
   local parts = {}
   for _, percentile in ipairs({ 5, 10, 25, 50, 75, 90, 95, 99, 99.9, 99.99 }) do
      parts[#parts + 1] = string.format('"%s": %.6f', percentile / 100, latency:percentile(percentile) / 1e6)
   end
   io.write(string.format(
      '{"requests": %d, "failed": %d, "seconds": %.6f, "latencies": {%s}}\n',
      summary.requests,
      errors.status + errors.connect + errors.read + errors.write + errors.timeout,
      summary.duration / 1e6,
      table.concat(parts, ", ")
   ))
end
