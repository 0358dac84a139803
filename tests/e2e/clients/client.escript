#!/usr/bin/env escript
%% One request over mutual TLS with Erlang's own TLS: client.escript HOST PORT CA [CERT KEY], the request on standard input.
%%! -kernel logger_level emergency

main([Host, Port, Ca | Rest]) ->
    {ok, _} = application:ensure_all_started(ssl),
    Request = request(<<>>),
    Own = case Rest of
        [Cert, Key] -> [{certfile, Cert}, {keyfile, Key}];
        [] -> []
    end,
    Options = [{cacertfile, Ca}, {verify, verify_peer}, {server_name_indication, Host}, {versions, ['tlsv1.3']},
               {active, true}, binary | Own],
    case ssl:connect(Host, list_to_integer(Port), Options, 20000) of
        {ok, Socket} ->
            case Request of <<>> -> ok; _ -> ssl:send(Socket, Request) end,
            %% The alert about a client certificate comes after the client's own end of the handshake.
            read(Socket);
        Refused -> fail(Refused)
    end.

request(Sofar) ->
    case io:get_chars("", 4096) of
        eof -> Sofar;
        Data -> request(<<Sofar/binary, (unicode:characters_to_binary(Data))/binary>>)
    end.

read(Socket) ->
    receive
        {ssl, Socket, Data} -> io:put_chars(Data), read(Socket);
        {ssl_closed, Socket} -> halt(0);
        {ssl_error, Socket, Why} -> fail(Why)
    after 20000 -> fail(nothing_came)
    end.

fail(Why) ->
    io:format(standard_error, "~0p~n", [Why]),
    halt(1).
