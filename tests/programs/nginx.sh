# SPDX-License-Identifier: MIT
# nginx with two workers: static files, ranges, compression, a proxy to itself, a reload while requests come.
export PATH=$PEERS/usr/sbin:/usr/sbin:$PATH
command -v nginx >/dev/null || bash "$HERE/../peers.sh" nginx-light >peers.log 2>&1 || { tail -n 1 peers.log >&2; exit 77; }

# A socket's path is short; the run's own directory may not be.
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder/www" "$folder/logs"
for i in 1 2 3 4 5 6; do seq 1 $((i * i * 700)) >"$folder/www/$i.txt"; done
cat >"$folder/conf" <<END
$([ "$(id -u)" != 0 ] || echo "user root;")
daemon off;
worker_processes 2;
pid $folder/pid;
error_log $folder/logs/error crit;
events { worker_connections 256; }
http {
    access_log off;
    client_body_temp_path $folder/body;
    proxy_temp_path $folder/proxy;
    fastcgi_temp_path $folder/fastcgi;
    uwsgi_temp_path $folder/uwsgi;
    scgi_temp_path $folder/scgi;
    gzip on; gzip_types text/plain; gzip_min_length 100;
    types { text/plain txt; }
    server {
        listen unix:$folder/socket;
        root $folder/www;
        location /proxied/ { proxy_pass http://unix:$folder/behind:/; }
        location /twice/ { rewrite ^/twice/(.*)\$ /\$1 last; }
    }
    server { listen unix:$folder/behind; root $folder/www; }
}
END
under nginx -p "$folder" -e "$folder/logs/error" -c "$folder/conf" &
server=$!
cat >client.pl <<'PERL'
use strict; use warnings;
use IO::Socket::UNIX; use Digest::MD5 qw(md5_hex);
my ($socket, $rounds, $server) = @ARGV;
sub dial {
    for (1 .. 3000) { my $s = IO::Socket::UNIX->new(Peer => $socket); return $s if $s; select undef, undef, undef, 0.02 }
    die "no server";
}
my (%seen, $connection, $left);
for my $round (1 .. $rounds) {
    my $n = 1 + $round % 6;
    my $path = ("/$n.txt", "/proxied/$n.txt", "/twice/$n.txt", "/none$n")[$round % 4];
    my $extra = ("", "Accept-Encoding: gzip\r\n", "Range: bytes=10-" . 500 * $n . "\r\n")[$round % 3];
    kill 'HUP', $server if $round == int($rounds / 2);
    for my $attempt (1 .. 5) { # a worker that is told to go closes connections between requests
        ($connection, $left) = (dial(), 25) unless $connection && $left-- > 0;
        local $SIG{PIPE} = 'IGNORE';
        print $connection "GET $path HTTP/1.1\r\nHost: x\r\n$extra\r\n";
        my ($head, $body) = ("", "");
        while (defined(my $line = <$connection>)) { $head .= $line; last if $line eq "\r\n" }
        if ($head !~ /\r\n\r\n$/) { undef $connection; next }
        if ($head =~ /Content-Length: (\d+)/) { read $connection, $body, $1 }
        elsif ($head =~ /chunked/) {
            while (my $size = hex(<$connection> =~ /([0-9a-f]+)/i ? $1 : 0)) { read $connection, $body, $size, length $body; <$connection> }
            <$connection>;
        }
        my ($status) = $head =~ /^HTTP\/1.1 (\d+)/;
        $extra =~ s/\r\n//;
        $seen{"$path $extra $status " . md5_hex($body)}++;
        last;
    }
}
print "$_: $seen{$_}\n" for sort keys %seen;
PERL
until [ -s "$folder/pid" ]; do
    kill -0 $server 2>/dev/null || { cat "$folder/logs/error" >&2; exit 1; }
    sleep 0.05
done
perl client.pl "$folder/socket" $((600 * SCALE)) "$(cat "$folder/pid")"
kill -QUIT "$(cat "$folder/pid")"
wait $server
echo "status $?"
cat "$folder/logs/error"
