# The list of packages that a driver is given; included by the other drivers.
#
# Each line is `identity<TAB>name`. A package's identity is its UUID. That of an extension (1.9 and later) is
# `UUID/name`, with its package's UUID, from which Julia derives the extension's own (`insert_extension_triggers` in
# base/loading.jl).

"What a list holds: the identity as it is written, and as Julia has it."
function packages_in(file)
    map(collect(eachline(file))) do line
        identity, name = split(line, '\t')
        return (String(identity), package_of(identity, name))
    end
end

function package_of(identity, name)
    uuid = Base.UUID(first(split(identity, '/')))
    return Base.PkgId(occursin('/', identity) ? Base.uuid5(uuid, String(name)) : uuid, String(name))
end
