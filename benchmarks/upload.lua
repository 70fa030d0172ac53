-- For wrk: posts files in turn.   wrk --script upload.lua URL -- CONTENT-TYPE FILE …

local requests = {}
local sent = 0

function init(args)
  local headers = {["Content-Type"] = args[1]}
  for index = 2, #args do
    local file = assert(io.open(args[index], "rb"))
    requests[index - 1] = wrk.format("POST", nil, headers, file:read("*a"))
    file:close()
  end
end

function request()
  sent = sent + 1
  return requests[sent % #requests + 1]
end
