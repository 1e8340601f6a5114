<?php
// page.php
// Returns the decoded result of a call. Throws with the problem's code, and whether the message was sent.
function call(string $method, array $params = [], ?string $key = null): mixed {
    static $handle = null;   // one handle keeps its connection for all calls of the page
    $handle ??= curl_init();
    $service = getenv("SIDESOCKET_URL") ?: "http://127.0.0.1:8787";
    $message = ["jsonrpc" => "2.0", "method" => $method, "params" => $params];
    curl_setopt_array($handle, [
        CURLOPT_URL => "$service/v1/upstreams/default/request?timeout=25s",
        CURLOPT_POSTFIELDS => json_encode($message, JSON_THROW_ON_ERROR),
        CURLOPT_HTTPHEADER => ["Content-Type: application/json", ...($key === null ? [] : ["Idempotency-Key: $key"])],
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_TIMEOUT => 30,   // longer than ?timeout above
    ]);
    $body = curl_exec($handle);
    if ($body === false) {
        $sent = curl_errno($handle) === CURLE_COULDNT_CONNECT ? "no" : "maybe";
        throw new RuntimeException("no response (sent: $sent): " . curl_error($handle));
    }
    $reply = json_decode($body, true, flags: JSON_THROW_ON_ERROR);
    if (curl_getinfo($handle, CURLINFO_RESPONSE_CODE) !== 200) {
        throw new RuntimeException("{$reply['code']} (sent: {$reply['sent']}): {$reply['detail']}");
    }
    if (isset($reply["error"])) throw new RuntimeException("the upstream: {$reply['error']['message']}");
    return $reply["result"];
}

try {
    $text = "It is " . call("time") . ", and the echo is " . implode(" ", call("echo", ["hello", "<world>"])) . ".";
} catch (RuntimeException | JsonException $problem) {
    http_response_code(503);
    $text = $problem->getMessage();
}
?>
<!doctype html>
<title>Time</title>
<p><?= htmlspecialchars($text) ?></p>
