# Writes weather.csv and stations.csv: invented measurements, the same on every Julia and every run.
# The generator is written out because the standard library's streams differ between versions.

using Dates

mutable struct Noise
    state::UInt64
end

function uniform(noise::Noise)
    noise.state = noise.state * 0x5851f42d4c957f2d + 0x14057b7ef767814f
    return (noise.state >> 33) / 2.0^31
end

normal(noise::Noise) = sum(uniform(noise) for _ in 1:12) - 6

const STATIONS = (
    (name = "Harbour", altitude = 4, latitude = 57.7, opened = Date(1961, 5, 1), mean = 9.0, swing = 8.0, rain = 0.45),
    (name = "Mill Hill", altitude = 212, latitude = 57.9, opened = Date(1988, 9, 15), mean = 7.2, swing = 10.0, rain = 0.40),
    (name = "Observatory", altitude = 1190, latitude = 60.4, opened = Date(2004, 2, 29), mean = 1.5, swing = 9.5, rain = 0.50),
)

open(joinpath(@__DIR__, "stations.csv"), "w") do io
    println(io, "station,altitude,latitude,opened")
    for s in STATIONS
        println(io, join((s.name, s.altitude, s.latitude, s.opened), ','))
    end
end

open(joinpath(@__DIR__, "weather.csv"), "w") do io
    println(io, "date,station,high,low,rain,wind,sky")
    noise = Noise(20190401)
    for s in STATIONS
        drift = 0.0
        for date in Date(2019, 1, 1):Day(1):Date(2019, 10, 31)
            season = -cos(2pi * (dayofyear(date) - 20) / 365)
            drift = 0.75drift + 1.6normal(noise)
            wet = uniform(noise) < s.rain
            range = 2.5 + 2.0uniform(noise) + (wet ? 0.0 : 3.5) + 1.5max(season, 0)
            middle = s.mean + s.swing * season + drift
            rain = wet ? round(-4.5log(1 - uniform(noise)) + 0.1; digits = 1) : 0.0
            wind = round(max(0.2, 4 + 1.4normal(noise) + (wet ? 2 : 0)); digits = 1)
            sky = wet ? (middle < 0.5 ? "snow" : "rain") : uniform(noise) < 0.4 ? "clear" : "cloudy"
            broken = uniform(noise) < 0.015
            println(io, join((
                date, s.name,
                broken ? "NA" : round(middle + range / 2; digits = 1),
                broken ? "NA" : round(middle - range / 2; digits = 1),
                uniform(noise) < 0.01 ? "" : rain, wind, sky), ','))
        end
    end
end
