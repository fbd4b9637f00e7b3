-- What one would write to govern part copies with nginx alone: verify the COS signature (host, every x-cos-*
-- header and every parameter must be covered), judge source, destination and range, sign anew for COS.
-- Sign keys are cached per key time, as the gateway does. There is no audit log, no trace, no reload.

local bit = require("bit")

local M = {}
local MARGIN, LIFETIME, SKEW = 60, 900, 900
local HEX = {}
for byte = 0, 255 do HEX[byte] = string.format("%02x", byte) end

local function hex(raw)
    local out = {}
    for i = 1, #raw do out[i] = HEX[raw:byte(i)] end
    return table.concat(out)
end

local ENCODED = {}
for byte = 0, 255 do
    local c = string.char(byte)
    ENCODED[c] = c:match("[A-Za-z0-9%-_%.~]") and c or string.format("%%%02X", byte)
end

local function encode(text)
    return (text:gsub("[^A-Za-z0-9%-_%.~]", ENCODED))
end

local function same(a, b)
    if #a ~= #b then return false end
    local different = 0
    for i = 1, #a do different = bit.bor(different, bit.bxor(a:byte(i), b:byte(i))) end
    return different == 0
end

local function refuse(code, message)
    ngx.status = 403
    ngx.header["Content-Type"] = "application/xml"
    ngx.say("<Error><Code>", code, "</Code><Message>", message, "</Message></Error>")
    return ngx.exit(403)
end

local function sign_key(cache, secret, key_time)
    local held = cache[key_time]
    if held == nil then
        if cache.count > 1024 then for name in pairs(cache) do cache[name] = nil end; cache.count = 0 end
        held = hex(ngx.hmac_sha1(secret, key_time))
        cache[key_time] = held
        cache.count = cache.count + 1
    end
    return held
end

local function signature(key, sign_time, http_string)
    return hex(ngx.hmac_sha1(key, "sha1\n" .. sign_time .. "\n" .. hex(ngx.sha1_bin(http_string)) .. "\n"))
end

local function pairs_of(list, values)
    local out = {}
    for name in list:gmatch("[^;]+") do
        local value = values[name]
        if type(value) ~= "string" then return nil end
        out[#out + 1] = name .. "=" .. encode(value)
    end
    return table.concat(out, "&")
end

local function covered(list, name)
    return (";" .. list .. ";"):find(";" .. name .. ";", 1, true) ~= nil
end

local function judge(headers, args)
    if ngx.req.get_method() ~= "PUT" or not args.uploadId then return "only part copies" end
    local bucket = headers.host:match("^([a-z0-9-]+)%.cos%.ap%-guangzhou%.myqcloud%.com$")
    if bucket ~= "media-1250000000" then return "destination" end
    local part = tonumber(args.partNumber)
    if not part or part < 1 or part > 10000 then return "part number" end
    local source_bucket, region, key =
        (headers["x-cos-copy-source"] or ""):match("^([a-z0-9-]+)%.cos%.([a-z0-9-]+)%.myqcloud%.com/([^?#]+)$")
    if source_bucket ~= "raw-1250000000" or region ~= "ap-guangzhou" then return "source" end
    key = ngx.unescape_uri((key:gsub("+", "%%2B")))
    if key:sub(1, 9) ~= "incoming/" then return "source key" end
    local first, last = (headers["x-cos-copy-source-range"] or ""):match("^bytes=(%d+)-(%d+)$")
    first, last = tonumber(first), tonumber(last)
    if not first or first > last or last - first + 1 > 1073741824 or last - first + 1 < 1048576 then return "range" end
    return nil, source_bucket, region, key, first, last
end

function M.new(settings)
    local callers, upstreams = {count = 0}, {count = 0}
    local self = {}

    function self.handle()
        local headers, args = ngx.req.get_headers(100), ngx.req.get_uri_args(100)
        local fields = {}
        for name, value in (headers.authorization or ""):gmatch("([^&=]+)=([^&]*)") do fields[name] = value end
        if fields["q-ak"] ~= settings.caller.id then return refuse("InvalidAccessKeyId", "unknown key") end
        local header_list, parameter_list = fields["q-header-list"] or "", fields["q-url-param-list"] or ""
        local sign_time, key_time = fields["q-sign-time"] or "", fields["q-key-time"] or ""
        local lowered = {}
        for name, value in pairs(args) do
            lowered[name:lower()] = value == true and "" or value
            if not covered(parameter_list, encode(name):lower()) then return refuse("AccessDenied", name) end
        end
        for name in pairs(headers) do
            if (name == "host" or name:sub(1, 6) == "x-cos-") and not covered(header_list, name) then
                return refuse("AccessDenied", name)
            end
        end
        local start, finish = sign_time:match("^(%d+);(%d+)$")
        local now = ngx.time()
        if not start or now > tonumber(finish) or now < tonumber(start) - SKEW then
            return refuse("AccessDenied", "Request has expired")
        end
        local method, path = ngx.req.get_method():lower(), ngx.var.uri
        local parameters = pairs_of(parameter_list, lowered)
        local signed = pairs_of(header_list, headers)
        if not parameters or not signed then return refuse("AccessDenied", "listed but absent") end
        local text = method .. "\n" .. path .. "\n" .. parameters .. "\n" .. signed .. "\n"
        local key = sign_key(callers, settings.caller.secret, key_time)
        if not same(signature(key, sign_time, text), fields["q-signature"] or "") then
            return refuse("SignatureDoesNotMatch", "The Signature you specified is invalid.")
        end

        local violation, source_bucket, region, source_key, first, last = judge(headers, args)
        if violation then return refuse("AccessDenied", violation) end

        local source = source_bucket .. ".cos." .. region .. ".myqcloud.com/" .. encode(source_key):gsub("%%2F", "/")
        local range = "bytes=" .. first .. "-" .. last
        ngx.req.set_header("x-cos-copy-source", source)
        ngx.req.set_header("x-cos-copy-source-range", range)
        local minute = now - now % 60
        local window = (minute - MARGIN) .. ";" .. (minute + LIFETIME)
        local again = method .. "\n" .. path .. "\n" .. parameters .. "\ncontent-length=0&host=" .. encode(headers.host)
            .. "&x-cos-copy-source=" .. encode(source) .. "&x-cos-copy-source-range=" .. encode(range) .. "\n"
        local proof = signature(sign_key(upstreams, settings.upstream.secret, window), window, again)
        ngx.req.set_header("Authorization", "q-sign-algorithm=sha1&q-ak=" .. settings.upstream.id
            .. "&q-sign-time=" .. window .. "&q-key-time=" .. window
            .. "&q-header-list=content-length;host;x-cos-copy-source;x-cos-copy-source-range&q-url-param-list="
            .. parameter_list .. "&q-signature=" .. proof)
    end

    return self
end

return M
